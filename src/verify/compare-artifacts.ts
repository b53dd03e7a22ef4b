import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { artifactPathProblem } from '../artifacts/artifact-path.ts';
import { type FileRules, fileChooser } from '../kinds/file-rules.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { ArtifactEntry, ArtifactOwner } from '../places/artifact-owner.ts';
import { createLeftFiles } from '../places/chosen-files.ts';
import { withPacedFiles } from '../places/paced-files.ts';
import type { Placement } from '../places/representation.ts';
import type { PlaceTraits } from '../places/traits.ts';
import { appendAll } from '../util/append-all.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import { MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { type Difference, differenceOf } from './difference.ts';

/** How the files of a run are compared. */
export interface ArtifactRules {
  placement(path: string, size?: number): Placement;
  readonly bandwidth: Bandwidth | undefined;
  /** Which of them were to be taken along. */
  readonly files: FileRules;
  /** Paths and sizes only. */
  readonly quick: boolean;
  /** mlferry's own files may be there besides. */
  readonly ownFiles: boolean;
  /** Whether the target's reader cannot see a file of this path. */
  isHidden(path: string): boolean;
  readonly sourceTraits: PlaceTraits;
  readonly targetTraits: PlaceTraits;
  onBytes(count: number): void;
}

/** What comparing the files of a run gave. Paths of the source. */
export interface ArtifactComparison {
  readonly files: number;
  readonly bytes: number;
  readonly differences: readonly Difference[];
  readonly losses: readonly RunLoss[];
  /** Which of mlferry's own files stand beside those of the source. */
  readonly own: ReadonlySet<OwnFile>;
  readonly unreachable: boolean;
}

/** The artifacts that mlferry adds to a run; docs/compatibility.md describes them. */
export type OwnFile = 'oversize' | 'metrics' | 'renamed' | 'registered';

const OWN_FILES: ReadonlyArray<readonly [OwnFile, RegExp]> = [
  ['oversize', /^mlferry\/oversize(-\d+|\.filestore)?\.json$/],
  ['metrics', /^mlferry\/metrics(-\d+)?\.ndjson$/],
  ['renamed', /^mlferry\/renamed(-\d+)?\.json$/],
  // Compared as the files of the model versions that they came with.
  ['registered', /^mlferry\/registered-models\//],
];

/** Files of one run that are read at once. */
const PARALLEL = 2;

/**
 * Compares the files of a run: paths, sizes, and unless `quick` the sha256 of their bytes, which is taken from records
 * that were checked and computed elsewhere. Throws what the streams throw, UNSUPPORTED for a file that cannot be seen.
 */
export async function compareArtifacts(
  source: ArtifactOwner,
  target: ArtifactOwner,
  rules: ArtifactRules,
): Promise<ArtifactComparison> {
  const isTaken = fileChooser(rules.files);
  const left = createLeftFiles();
  const there = new Map<string, ArtifactEntry>();
  for await (const entry of target.artifacts()) there.set(entry.path, entry);
  const differences: Difference[] = [];
  const losses: RunLoss[] = [];
  let files = 0;
  let bytes = 0;
  let unreachable = false;
  let renamed = false;
  const pairs: Array<{ entry: ArtifactEntry; other: ArtifactEntry | undefined }> = [];
  for await (const entry of source.artifacts()) {
    const placement = rules.placement(entry.path, entry.size);
    if (!isTaken(entry)) {
      left.add(entry);
      // An earlier copy may have brought it.
      there.delete(placement.path ?? entry.path);
      continue;
    }
    files++;
    // What is there although it could not be written from here is compared all the same.
    const path = placement.path ?? (there.has(entry.path) ? entry.path : undefined);
    if (placement.loss !== undefined && path === placement.path) losses.push(placement.loss);
    if (path === undefined) {
      unreachable ||= placement.loss?.code === 'ARTIFACTS_UNREACHABLE';
      continue;
    }
    renamed ||= path !== entry.path;
    pairs.push({ entry, other: there.get(path) });
    there.delete(path);
  }
  await mapConcurrent(pairs, PARALLEL, async ({ entry, other }) => {
    if (other === undefined) {
      const loss = await lossOfMissing(source, entry, rules);
      if (loss !== undefined) losses.push(loss);
      else differences.push(...differenceOf(`artifacts ${entry.path}`, sizeText(entry), undefined));
      return;
    }
    const found = await compareFile(
      withPacedFiles(source, rules.bandwidth),
      withPacedFiles(target, rules.bandwidth),
      entry,
      other,
      rules,
    );
    bytes += found.bytes;
    appendAll(differences, found.differences);
    appendAll(losses, found.losses);
  });
  const own = new Set<OwnFile>();
  for (const entry of there.values()) {
    const kind = OWN_FILES.find(([, name]) => name.test(entry.path))?.[0];
    if (rules.ownFiles && kind !== undefined) own.add(kind);
    else if (isTaken(entry))
      differences.push(...differenceOf(`artifacts ${entry.path}`, undefined, sizeText(entry)));
  }
  if (renamed && !own.has('renamed')) differences.push(missingOwnFile('renamed'));
  return {
    files,
    bytes,
    differences: differences.toSorted((a, b) => (a.field < b.field ? -1 : 1)),
    losses: countedTogether([...losses, ...[left.loss() ?? []].flat()]),
    own,
    unreachable,
  };
}

/** The difference of a file that mlferry should have added. */
export function missingOwnFile(kind: OwnFile): Difference {
  const name = kind === 'metrics' ? 'metrics.ndjson' : `${kind}.json`;
  return { field: `artifacts mlferry/${name}`, source: 'to be there', target: null };
}

const sizeText = ({ size }: ArtifactEntry) => (size === undefined ? 'there' : `${size} bytes`);

/** Why a file is rightly not on the target: only the source knows that it does not carry the bytes. */
async function lossOfMissing(
  source: ArtifactOwner,
  entry: ArtifactEntry,
  rules: ArtifactRules,
): Promise<RunLoss | undefined> {
  if (rules.isHidden(entry.path)) {
    throw new MlferryError(
      'UNSUPPORTED',
      `The target cannot be asked for the artifact ${JSON.stringify(entry.path)}, because of its name`,
    );
  }
  const problem = artifactPathProblem(entry.path);
  if (problem !== undefined)
    return {
      code: 'ARTIFACT_NAME',
      left_behind: true,
      key: entry.path,
      detail: `the file was left out: its path ${problem}`,
    };
  const body = await source.open(entry);
  if (body === undefined)
    return notCarried(rules.sourceTraits, 'the source tells of these files but does not hold their bytes');
  discard(body);
  return undefined;
}

function notCarried({ fileBytes }: PlaceTraits, detail: string): RunLoss {
  return { code: fileBytes === 'elsewhere' ? 'ARTIFACTS_UNREACHABLE' : 'ARTIFACTS_NOT_CARRIED', detail };
}

function discard(body: Readable): void {
  // Nobody else hears its error.
  body.on('error', () => undefined);
  body.destroy();
}

async function compareFile(
  source: ArtifactOwner,
  target: ArtifactOwner,
  entry: ArtifactEntry,
  other: ArtifactEntry,
  rules: ArtifactRules,
): Promise<{ bytes: number; differences: Difference[]; losses: RunLoss[] }> {
  const field = `artifacts ${entry.path}`;
  if (entry.size !== undefined && other.size !== undefined && entry.size !== other.size) {
    return { bytes: 0, differences: differenceOf(`${field} size`, entry.size, other.size), losses: [] };
  }
  const same = { bytes: 0, differences: [], losses: [] };
  if (rules.quick) return same;
  const left = await hashOf(source, entry, rules.onBytes);
  if (left === undefined)
    return {
      ...same,
      losses: [notCarried(rules.sourceTraits, 'the source does not hold the bytes of these files')],
    };
  const right = await hashOf(target, other, () => undefined);
  if (right !== undefined) {
    return {
      bytes: left.bytes,
      differences: differenceOf(`${field} sha256`, left.sha256, right.sha256),
      losses: [],
    };
  }
  if (rules.targetTraits.fileBytes !== 'where hashed') {
    throw new MlferryError(
      'UNSUPPORTED',
      `The target cannot give the bytes of ${JSON.stringify(entry.path)}`,
    );
  }
  return {
    ...same,
    losses: [notCarried(rules.targetTraits, 'the target names these files without their bytes')],
  };
}

/** The recorded sha256, else that of the bytes; `undefined` when the place does not carry them. */
async function hashOf(
  run: ArtifactOwner,
  entry: ArtifactEntry,
  onBytes: (count: number) => void,
): Promise<{ sha256: string; bytes: number } | undefined> {
  if (entry.sha256 !== undefined) return { sha256: entry.sha256, bytes: entry.size ?? 0 };
  const body = await run.open(entry);
  if (body === undefined) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array))
      throw new MlferryError('BUG', `${entry.path} gave something else than bytes`);
    hash.update(chunk);
    bytes += chunk.length;
    onBytes(chunk.length);
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Losses without a key that say the same, as one with their number. */
function countedTogether(losses: readonly RunLoss[]): RunLoss[] {
  const groups = Map.groupBy(losses, ({ code, key, detail }) => JSON.stringify([code, key, detail]));
  return [...groups.values()].flatMap(([first, ...more]) =>
    first === undefined ? [] : [more.length === 0 ? first : { ...first, count: more.length + 1 }],
  );
}
