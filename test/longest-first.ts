import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the longest first: begun last, each would run alone at the end. */
export const LONGEST: readonly string[] = [
  'test/acceptance/whole-workspace.test.ts',
  'test/faults/fault-table.test.ts',
  'test/acceptance/memory.test.ts',
  'test/contract/places.test.ts',
  'test/acceptance/registry.test.ts',
  'test/faults/kill-sweep.test.ts',
  'test/acceptance/selected-parts.test.ts',
  'test/acceptance/moving-runs.test.ts',
  'test/acceptance/traces.test.ts',
  'test/acceptance/managing-runs.test.ts',
  'test/places/server/writer.test.ts',
  'test/acceptance/between-versions.test.ts',
  'test/search/differential.test.ts',
  'test/acceptance/again-and-growth.test.ts',
];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = LONGEST.findIndex((file) => moduleId.endsWith(file));
  return found === -1 ? LONGEST.length : found;
};

/** Starts the longest files first, in every checkout: Vitest itself knows how long they take from the second run on. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
