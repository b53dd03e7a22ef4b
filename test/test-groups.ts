import { globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What knows where Python and MLflow are: a test file needs them when it imports one of these, itself or through others. */
const PYTHON = ['test/servers/versions.ts', 'test/servers/forge-of.ts'].map((path) => resolve(path));

/** What needs nothing and takes long all the same: sweeps, much content, many processes. */
export const SLOW: readonly string[] = [
  'test/acceptance/canaries.test.ts',
  'test/acceptance/kill-at-change.test.ts',
  'test/acceptance/left-behind.test.ts',
  'test/compare/page.test.ts',
  'test/disk/disk-faults.test.ts',
  'test/disk/kill.test.ts',
  'test/docs/every-night.test.ts',
  'test/docs/library.test.ts',
  'test/docs/managing-runs.test.ts',
  'test/docs/tour.test.ts',
  'test/mirror/mirror.test.ts',
  'test/places/archive/bombs.test.ts',
  'test/places/archive/damage.test.ts',
  'test/places/archive/memory.test.ts',
  'test/places/archive/round-trip.test.ts',
  'test/places/damage-sweep.test.ts',
  'test/places/database/kill.test.ts',
  'test/places/export-import/memory.test.ts',
  'test/places/fuzz.test.ts',
  'test/places/recorded-resume.test.ts',
  'test/places/server/metrics.test.ts',
  'test/places/stream/damage.test.ts',
  'test/places/stream/round-trip.test.ts',
  'test/verify/mutations.test.ts',
];

const TESTS = resolve('test');

/** Imports of other files of the tests, not of types alone. */
const IMPORT = /^(?:import|export)\b(?! type\b)[^;]*?'(\.\.?\/[^']+\.ts)';/gm;

function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(IMPORT)].map((match) =>
    resolve(dirname(path), match[1] ?? ''),
  );
}

function needsPython(path: string, seen: Set<string>): boolean {
  if (PYTHON.includes(path)) return true;
  if (seen.has(path) || !path.startsWith(TESTS)) return false;
  seen.add(path);
  return importsOf(path).some((next) => needsPython(next, seen));
}

const mocks = (file: string) => /^vi\.mock\(/m.test(readFileSync(file, 'utf8'));

/**
 * All test files: those that run MLflow or Python, those that only take long, those that are quick and put another module
 * in the place of one, and those that are quick.
 */
export function testGroups() {
  const { real = [], own = [] } = Object.groupBy(globSync('test/**/*.test.ts').sort(), (file) =>
    needsPython(resolve(file), new Set()) ? 'real' : 'own',
  );
  return {
    real,
    slow: own.filter((file) => SLOW.includes(file)),
    mocked: own.filter((file) => !SLOW.includes(file) && mocks(file)),
    quick: own.filter((file) => !SLOW.includes(file) && !mocks(file)),
  };
}
