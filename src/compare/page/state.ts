/** What a person has chosen; it stands in the fragment of the address, so that a link shows the same. */
export interface State {
  all: boolean;
  runsAs: 'columns' | 'rows';
  runsContaining: string;
  namesContaining: string;
  /** Id of the row by which runs are sorted, and whether the greatest comes first. */
  sort: string;
  descending: boolean;
  theme: 'system' | 'light' | 'dark';
  axes: readonly string[];
  color: string;
  /** Ranges of axes that were brushed: several of an axis count together. */
  ranges: Readonly<Record<string, ReadonlyArray<readonly [from: number, to: number]>>>;
  x: string;
  y: string;
  contourX: string;
  contourY: string;
  contourZ: string;
  keys: readonly string[];
  over: 'step' | 'time' | 'relative';
  smoothing: number;
  log: boolean;
  boxOf: string;
  groupBy: string;
}

/** The fragment for a state: what is as it was at first is left out. */
export function toFragment(state: State, first: State): string {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const before = new Map(Object.entries(first).map(([name, value]) => [name, text(value)]));
  const changed = Object.entries(state).flatMap(
    ([name, value]): Array<[string, string]> =>
      text(value) === before.get(name) ? [] : [[name, text(value)]],
  );
  return new URLSearchParams(changed).toString();
}

/** The state of a fragment; what is missing or makes no sense is as it was at first. */
export function fromFragment(fragment: string, first: State): State {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const parsed = (name: string): unknown => {
    try {
      return JSON.parse(given.get(name) ?? 'null');
    } catch {
      return null;
    }
  };
  const flag = (name: 'all' | 'descending' | 'log') => {
    const value = parsed(name);
    return typeof value === 'boolean' ? value : first[name];
  };
  const word = <T extends string>(name: string, words: readonly T[], otherwise: T): T =>
    words.find((each) => each === given.get(name)) ?? otherwise;
  const text = (name: 'runsContaining' | 'namesContaining' | 'sort' | Axis) => given.get(name) ?? first[name];
  const texts = (name: 'axes' | 'keys') => {
    const value = parsed(name);
    return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : first[name];
  };
  const smoothing = parsed('smoothing');
  return {
    all: flag('all'),
    runsAs: word('runsAs', ['columns', 'rows'], first.runsAs),
    runsContaining: text('runsContaining'),
    namesContaining: text('namesContaining'),
    sort: text('sort'),
    descending: flag('descending'),
    theme: word('theme', ['system', 'light', 'dark'], first.theme),
    axes: texts('axes'),
    color: text('color'),
    ranges: rangesOf(parsed('ranges')) ?? first.ranges,
    x: text('x'),
    y: text('y'),
    contourX: text('contourX'),
    contourY: text('contourY'),
    contourZ: text('contourZ'),
    keys: texts('keys'),
    over: word('over', ['step', 'time', 'relative'], first.over),
    smoothing: typeof smoothing === 'number' && smoothing >= 0 && smoothing < 1 ? smoothing : first.smoothing,
    log: flag('log'),
    boxOf: text('boxOf'),
    groupBy: text('groupBy'),
  };
}

/** The names of choices of one axis. */
export type Axis = 'color' | 'x' | 'y' | 'contourX' | 'contourY' | 'contourZ' | 'boxOf' | 'groupBy';

/** Ranges as they are in a fragment, or as plotly has them: `[from, to]` or a list of such. */
export function rangeList(value: unknown): Array<readonly [number, number]> {
  if (!Array.isArray(value)) return [];
  const [from, to] = value;
  if (typeof from === 'number' && typeof to === 'number') return [[from, to]];
  return value.flatMap(rangeList);
}

function rangesOf(value: unknown): State['ranges'] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).map(([id, ranges]) => [id, rangeList(ranges)]));
}
