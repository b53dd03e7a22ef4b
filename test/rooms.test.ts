import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KINDS } from '../src/kinds/table.ts';
import * as tags from '../src/model/mlflow/tags.ts';
import * as ownFiles from '../src/model/own-files.ts';
import { places } from '../src/places/registry.ts';

/**
 * The rooms of src/ and their order, as docs/architecture.md tells it. A room may import itself and those above it in
 * this list; rooms of one line do not know each other.
 */
const ORDER: ReadonlyArray<readonly string[]> = [
  ['util'],
  ['model'],
  ['look'],
  ['kinds'],
  ['search'],
  ['artifacts'],
  ['places'],
  ['job'],
  ['copy', 'inspect', 'verify', 'manage'],
  ['move', 'mirror', 'show', 'compare'],
  ['serve'],
  ['cli'],
  ['index.ts'],
];

/** What two kinds of places share, and which those are. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  'places/record-files': ['places/archive', 'places/stream'],
};

/** What all places share. */
const COMMON: readonly string[] = ['places/selecting', 'places/reading', 'places/writing'];

/** Names that only their own room may use as a text, with exceptions and why. */
const NAMES: ReadonlyArray<{
  readonly what: string;
  readonly names: readonly string[];
  readonly home: (name: string) => readonly string[];
  readonly except: Readonly<Record<string, string>>;
}> = [
  {
    what: 'a kind of place',
    names: places.map(({ kind }) => kind),
    home: (kind) => [`places/${kind}/`],
    except: {},
  },
  {
    // Experiments and runs are not among them: selections, searches and points are about those.
    what: 'a further kind of object',
    names: KINDS.map(({ kind }) => kind).filter((kind) => kind !== 'experiment' && kind !== 'run'),
    home: () => ['kinds/', 'model/', 'serve/', ...places.map(({ kind }) => `places/${kind}/`)],
    except: { 'search/search-kinds.ts': 'a word of MLflow’s grammar for traces' },
  },
  { what: 'a tag of MLflow', names: Object.values(tags), home: () => ['model/mlflow/'], except: {} },
  { what: 'a file of mlferry’s own', names: Object.values(ownFiles), home: () => ['model/'], except: {} },
];

const SRC = fileURLToPath(new URL('../src', import.meta.url));

interface SourceFile {
  /** Relative to src, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Files of src that it imports, in whatever way. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => {
    const path = relative(SRC, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
    const text = readFileSync(join(SRC, path), 'utf8');
    const found = text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"](\.[^'"]+)['"]/g);
    return { path, text, imports: [...found].map(([, to = '']) => posix.join(posix.dirname(path), to)) };
  });

const imports = files.flatMap(({ path, imports: all }) => all.map((to) => ({ from: path, to })));
const text = ({ from, to }: { from: string; to: string }) => `${from} imports ${to}`;

/** The room of a file: the first folder; `index.ts` is one by itself. */
const roomOf = (path: string) => path.split('/')[0] ?? '';
/** The folder of a kind of place, or of what some share; `undefined` for what all share, and elsewhere. */
const placeRoomOf = (path: string) => {
  const room = /^places\/[^/]+(?=\/)/.exec(path)?.[0];
  return room === undefined || COMMON.includes(room) ? undefined : room;
};
const levelOf = (path: string) => ORDER.findIndex((rooms) => rooms.includes(roomOf(path)));

describe('the rooms of src/', () => {
  it('are read whole: every import leads to a file', () => {
    expect(files.length).toBeGreaterThan(200);
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.filter(({ to }) => !existsSync(join(SRC, to))).map(text)).toEqual([]);
  });

  it('are those of the list', () => {
    expect([...new Set(files.map(({ path }) => roomOf(path)))].toSorted()).toEqual(ORDER.flat().toSorted());
  });

  it('import only what is above them', () => {
    const wrong = imports.filter(
      ({ from, to }) => roomOf(from) !== roomOf(to) && levelOf(to) >= levelOf(from),
    );
    expect(wrong.map(text)).toEqual([]);
  });

  it('know no other kind of place: only the registry does, and nobody looks behind the description of one', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [own, other] = [placeRoomOf(from), placeRoomOf(to)];
      if (other === undefined || own === other) return false;
      if (own !== undefined) return !SHARED[other]?.includes(own);
      const described = dirname(to) === other && to.endsWith('/index.ts') && SHARED[other] === undefined;
      return !(described && (from === 'places/registry.ts' || roomOf(from) === 'cli'));
    });
    expect(wrong.map(text)).toEqual([]);
  });

  it('have no import circles', () => {
    expect(circles(new Map(files.map(({ path, imports: all }) => [path, all])))).toEqual([]);
  });

  it('have one file that knows the paths of the REST API that is asked, and one those that are answered', () => {
    const knowing = files.filter(({ text: source }) =>
      /api\/\d|get-artifact\b|['"`/](?:runs|experiments|artifacts|metrics)\/[a-z]+(?:-[a-z]+)*['"`]/.test(
        withoutComments(source),
      ),
    );
    expect(knowing.map(({ path }) => path).toSorted()).toEqual([
      'places/server/connect/routes.ts',
      'serve/routes.ts',
    ]);
  });

  it('have a folder for each kind of place, with its description in it', () => {
    const folders = new Set(files.flatMap(({ path }) => placeRoomOf(path) ?? []));
    const known = [...places.map(({ kind }) => `places/${kind}`), ...Object.keys(SHARED)];
    expect([...folders].toSorted()).toEqual(known.toSorted());
    for (const { kind } of places) expect(existsSync(join(SRC, 'places', kind, 'index.ts'))).toBe(true);
  });

  describe.each(NAMES)('$what', ({ names, home, except }) => {
    it.each(names)('"%s" is named in its own room only', (name) => {
      const literal = new RegExp(`(['"\`])${name}\\1`);
      const elsewhere = files.filter(
        ({ path, text: source }) =>
          !home(name).some((room) => path.startsWith(room)) &&
          except[path] === undefined &&
          withoutComments(source)
            .split('\n')
            .some((line) => literal.test(line)),
      );
      expect(elsewhere.map(({ path }) => path)).toEqual([]);
    });

    it('has no exception that is none', () => {
      for (const path of Object.keys(except)) expect(files.map((file) => file.path)).toContain(path);
    });
  });
});

describe('what the checks find', () => {
  it('a circle, whatever leads into it', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['d']],
      ['d', ['b']],
      ['e', ['e']],
    ]);
    expect(circles(graph)).toEqual([['b', 'c', 'd'], ['e']]);
  });
});

/** Without comments that begin a line: they may name what they like. */
function withoutComments(source: string): string {
  return source.replaceAll(/^\s*\/\*.*?\*\//gms, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

/** Groups of files that reach one another, sorted. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const reach = (from: string) => {
    const seen = new Set<string>();
    const open = [...(graph.get(from) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(graph.get(next) ?? []));
    }
    return seen;
  };
  const reached = new Map([...graph.keys()].map((file) => [file, reach(file)]));
  const groups = new Map<string, string[]>();
  for (const file of graph.keys()) {
    if (reached.get(file)?.has(file) !== true) continue;
    const group = [...graph.keys()]
      .filter((other) => reached.get(file)?.has(other) === true && reached.get(other)?.has(file) === true)
      .toSorted();
    groups.set(group.join(), group);
  }
  return [...groups.values()];
}
