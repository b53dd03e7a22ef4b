import type { ObjectKind } from '../../kinds/kind.ts';
import { describeObject } from '../../kinds/kinds.ts';
import { idOf, parentIdOf } from '../../kinds/marks.ts';
import { canonicalLine, type FileRecord, type Header, type ObjectLine } from '../../kinds/wire-record.ts';
import { createFileListDigest, type FileList, type FileListDigest } from '../../model/file-list.ts';
import type { Int64 } from '../../model/int64.ts';
import type { LeftBehind } from '../../model/left-behind.ts';
import { latestOf } from '../../model/mlflow/latest-points.ts';
import type { Points } from '../../model/points.ts';
import type { Experiment, Point, Run } from '../../model/records.ts';
import { ownValue } from '../../model/string-map.ts';
import { MlferryError } from '../../util/errors.ts';
import { createMemoryBudget, type MemoryBudget } from './memory-budget.ts';
import type { RecordLine } from './record-lines.ts';
import { createTally } from './record-tally.ts';
import { watchRun } from './run-check.ts';

/** Where a run's lines stand, in bytes from the first line of all; `first` metrics and artifact lines inclusive. */
export interface IndexedRun {
  readonly run_id: string;
  readonly start_time: Int64 | null;
  readonly lifecycle_stage: Run['lifecycle_stage'];
  readonly number: number;
  readonly offset: number;
  readonly metrics: { start: number; end: number };
  readonly artifacts: { start: number; end: number };
  /** Of all its artifact lines. */
  files: FileList | undefined;
  /** Of all its metrics lines. */
  points: number;
  /** Whether its record's latest points are those of its metrics lines, point for point. */
  hasLatest: boolean;
}

/** Where the lines of an object of a further kind stand. */
export interface IndexedObject {
  readonly of: ObjectKind;
  readonly id: string;
  /** The object it lives in. */
  readonly parent: string | undefined;
  readonly number: number;
  readonly offset: number;
  readonly artifacts: { start: number; end: number };
}

/** What a checked stream or archive holds. */
export interface RecordIndex {
  readonly header: Header;
  readonly experiments: ReadonlyArray<{
    readonly experiment: Experiment;
    readonly runs: readonly IndexedRun[];
  }>;
  /** Objects of the further kinds, by kind. */
  readonly objects: ReadonlyMap<string, readonly IndexedObject[]>;
  /** What the file says that it lacks of its source, by code. */
  readonly leftBehind: readonly LeftBehind[];
  /** Whether the end record fits the lines, byte for byte. */
  readonly vouched: boolean;
}

/**
 * Reads all lines once and checks their order: the header first, experiments before their runs, each id once, metrics
 * and artifacts under their run or object, what was left behind under all of them, the end last and nothing after it. Throws TRUNCATED without an end, HOSTILE for an
 * artifact path that could reach out and for more than `budget` allows, CORRUPT for anything else, naming the line.
 * `onArtifact` may refuse an artifact.
 */
export async function indexRecords(
  lines: AsyncIterable<RecordLine>,
  where: string,
  onArtifact: (artifact: FileRecord) => string | undefined = () => undefined,
  budget: MemoryBudget = createMemoryBudget(where),
): Promise<RecordIndex> {
  const tally = createTally();
  const experiments = new Map<string, { experiment: Experiment; runs: IndexedRun[] }>();
  const runIds = new Set<string>();
  let header: Header | undefined;
  let vouched: boolean | undefined;
  const leftBehind: LeftBehind[] = [];
  const objects = new Map<string, Map<string, IndexedObject>>();
  let current: CurrentRun | undefined;
  let currentObject: { object: IndexedObject; watch: ReturnType<typeof watchRun> } | undefined;
  /** Held for the keys and paths of the current run or object. */
  let ofCurrent = 0;
  const holdForCurrent = (size: number) => {
    ofCurrent += size;
    budget.hold(size);
  };
  const ended = () => {
    budget.release(ofCurrent);
    ofCurrent = 0;
    if (current !== undefined) {
      current.run.hasLatest = current.latest.isAll();
      current.run.files = current.files?.list();
    }
    current = undefined;
    currentObject = undefined;
  };
  const addObject = ({ of, record }: ObjectLine, number: number, offset: number, length: number) => {
    const id = idOf(of, record);
    const parent = parentIdOf(of, record);
    const what = describeObject({ kind: of.kind, id: quote(id) });
    const isThere = of.within === 'experiment' ? experiments : objects.get(of.within ?? '');
    if (parent !== undefined && isThere?.has(parent) !== true)
      return `has the ${what} of ${of.within} ${quote(parent)}, which no line above describes`;
    const ofKind = objects.get(of.kind) ?? new Map<string, IndexedObject>();
    objects.set(of.kind, ofKind);
    if (ofKind.has(id)) return `has the ${what} a second time`;
    budget.hold(RUN_COST + 2 * id.length + 2 * (parent?.length ?? 0));
    const end = offset + length;
    const object = { of, id, parent, number, offset, artifacts: { start: end, end } };
    ofKind.set(id, object);
    ended();
    currentObject = { object, watch: watchRun(holdForCurrent) };
    return undefined;
  };

  for await (const { record, line, number, offset } of lines) {
    const refuse = (reason: string, hostile = false) =>
      new MlferryError(hostile ? 'HOSTILE' : 'CORRUPT', `${where}, line ${number} ${reason}`);
    if (vouched !== undefined) throw refuse('stands after the end record');
    if ((record.kind === 'header') !== (number === 1)) throw refuse(`is a ${record.kind} in the wrong place`);
    if (leftBehind.length > 0 && record.kind !== 'left_behind' && record.kind !== 'end')
      throw refuse(`is of the kind ${record.kind} behind what was left behind`);
    switch (record.kind) {
      case 'header':
        header = record;
        break;
      case 'experiment':
        if (experiments.has(record.experiment_id))
          throw refuse(`has the experiment ${quote(record.experiment_id)} a second time`);
        budget.hold(EXPERIMENT_COST + 3 * line.length);
        experiments.set(record.experiment_id, { experiment: record, runs: [] });
        ended();
        break;
      case 'run': {
        const of = experiments.get(record.experiment_id);
        if (of === undefined) {
          throw refuse(
            `has a run of the experiment ${quote(record.experiment_id)}, which no line above describes`,
          );
        }
        if (runIds.has(record.run_id)) throw refuse(`has the run ${quote(record.run_id)} a second time`);
        budget.hold(RUN_COST + 2 * record.run_id.length);
        runIds.add(record.run_id);
        const { run_id, start_time, lifecycle_stage } = record;
        const none = offset + line.length;
        const run: IndexedRun = {
          run_id,
          start_time,
          lifecycle_stage,
          number,
          offset,
          metrics: { start: none, end: none },
          artifacts: { start: none, end: none },
          files: undefined,
          points: 0,
          hasLatest: false,
        };
        of.runs.push(run);
        ended();
        current = {
          run,
          watch: watchRun(holdForCurrent),
          latest: latestPointsOf(record.latest_metrics),
        };
        break;
      }
      case 'metrics':
      case 'artifact': {
        if (current === undefined || record.run_id !== current.run.run_id) {
          throw refuse(
            `has ${record.kind} of the run ${quote(record.run_id)}, which is not the run above it`,
          );
        }
        const problem =
          record.kind === 'metrics' ? current.watch.metrics(record) : current.watch.artifact(record);
        if (problem !== undefined) throw refuse(problem.reason, problem.hostile);
        const refused = record.kind === 'artifact' ? onArtifact(record) : undefined;
        if (refused !== undefined) throw refuse(refused);
        if (record.kind === 'artifact') {
          current.files ??= createFileListDigest();
          current.files.add(record);
        }
        if (record.kind === 'metrics') {
          current.run.points += record.points.length;
          current.latest.take(record.key, record.points);
        }
        const range = record.kind === 'metrics' ? current.run.metrics : current.run.artifacts;
        if (range.start === range.end) range.start = offset;
        range.end = offset + line.length;
        break;
      }
      case 'object': {
        const problem = addObject(record, number, offset, line.length);
        if (problem !== undefined) throw refuse(problem);
        break;
      }
      case 'object_artifact': {
        const { object_kind: kind, object_id: id } = record;
        if (currentObject?.object.id !== id || currentObject.object.of.kind !== kind)
          throw refuse(`has a file of ${kind} ${quote(id)}, which is not the object above it`);
        const problem = currentObject.watch.artifact(record);
        if (problem !== undefined) throw refuse(problem.reason, problem.hostile);
        const refused = onArtifact(record);
        if (refused !== undefined) throw refuse(refused);
        const range = currentObject.object.artifacts;
        if (range.start === range.end) range.start = offset;
        range.end = offset + line.length;
        break;
      }
      case 'left_behind':
        ended();
        if (leftBehind.some(({ code }) => code === record.code))
          throw refuse(`has what was left behind as ${record.code} a second time`);
        budget.hold(3 * line.length);
        leftBehind.push(record);
        break;
      case 'end':
        ended();
        vouched = canonicalLine(record) === canonicalLine(tally.end());
        break;
    }
    tally.lines(line);
    tally.record(record);
  }
  if (header === undefined || vouched === undefined) {
    throw new MlferryError('TRUNCATED', `${where} has no end record: its end is missing`);
  }
  return {
    header,
    experiments: [...experiments.values()],
    objects: new Map([...objects].map(([kind, ofKind]) => [kind, [...ofKind.values()]])),
    leftBehind,
    vouched,
  };
}

interface CurrentRun {
  readonly run: IndexedRun;
  readonly watch: ReturnType<typeof watchRun>;
  readonly latest: LatestPoints;
  files?: FileListDigest;
}

interface LatestPoints {
  take(key: string, points: Points): void;
  isAll(): boolean;
}

/** Compares the latest points that a run's record shows with those of its metrics lines, whose keys stand together. */
function latestPointsOf(shown: Run['latest_metrics']): LatestPoints {
  let rest = Object.keys(shown).length;
  let isRight = true;
  let last: { key: string; point: Point | undefined } | undefined;
  const close = () => {
    if (last === undefined) return;
    rest -= 1;
    const { key, point } = last;
    const expected = ownValue(shown, key);
    isRight &&= expected?.every((value, index) => Object.is(value, point?.[index])) === true;
  };
  return {
    take: (key, points) => {
      if (last?.key === key) last.point = latestOf(points, last.point);
      else {
        close();
        last = { key, point: latestOf(points, undefined) };
      }
    },
    isAll: () => {
      close();
      return isRight && rest === 0;
    },
  };
}

/** Bytes of memory that an experiment takes besides its line, and a run besides its id. */
const EXPERIMENT_COST = 1000;
const RUN_COST = 700;

const quote = (text: string) => JSON.stringify(text.slice(0, 200));
