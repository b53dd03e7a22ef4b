import { createHash, type Hash } from 'node:crypto';
import { idOf } from '../../kinds/marks.ts';
import type { FileRecord, WireRecord } from '../../kinds/wire-record.ts';
import { createFileListDigest, type FileListDigest } from '../../model/file-list.ts';
import { goesOn } from '../../model/mlflow/statuses.ts';
import { MlferryError } from '../../util/errors.ts';
import type { CommitLine, ReadLine } from './partial-journal.ts';
import { decodeRecords } from './record-lines.ts';
import { createTally, type Tally } from './record-tally.ts';

/** An object that stands whole in what an earlier attempt left. */
export interface KeptRecord {
  /** Name of its kind in the table of kinds. */
  readonly kind: string;
  readonly id: string;
  /** {@link lineDigest} of its own line. */
  readonly digest: string;
  /** Paths and sizes of its files. */
  readonly files: string | undefined;
  /** Of all its lines: its own with its metrics and artifacts. */
  readonly all: string;
  /** Its record does not tell whether it is as it was: it has to be read and compared whole. */
  readonly readAgain: boolean;
  /** Its artifacts whose bytes are not carried. */
  readonly referenced: { readonly artifacts: number; readonly bytes: number };
}

/** What an earlier attempt left, every byte of it checked, up to `commit`. */
export interface KeptLines<Commit = ReadLine<CommitLine>> {
  readonly records: readonly KeptRecord[];
  readonly tally: Tally;
  readonly commit: Commit;
}

/** sha256 of lines, short enough to be kept for every run. */
export const lineDigest = (...lines: Uint8Array[]): string => {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  return hash.digest('base64');
};

interface Group {
  readonly head: Pick<KeptRecord, 'kind' | 'id' | 'digest'>;
  readonly hash: Hash;
  readonly files: FileListDigest;
  readonly isOpen: boolean;
  readonly referenced: { artifacts: number; bytes: number };
}

/**
 * Reads record lines as far as they are sound, each commit's hash is theirs and `hasBytes` knows the artifacts; at most
 * `limit` records. `commits` must have those of a line before it comes. `undefined` when nothing stands whole.
 */
export async function readKeptLines<Commit extends ReadLine<CommitLine>>(
  lines: AsyncIterable<Uint8Array>,
  commits: Commit[],
  hasBytes: (artifact: FileRecord) => Promise<boolean>,
  limit: number,
): Promise<KeptLines<Commit> | undefined> {
  const records: KeptRecord[] = [];
  const tally = createTally();
  let group: Group | undefined;
  let kept: Omit<KeptLines<Commit>, 'records'> | undefined;
  let bytes = 0;
  try {
    for await (const { record, line } of decodeRecords(lines, 'The partial file')) {
      if (records.length >= limit) break;
      tally.lines(line);
      tally.record(record);
      bytes += line.length;
      if (record.kind === 'header') continue;
      if (record.kind === 'end') break;
      const named = nameOf(record);
      if (named !== undefined) {
        const isOpen = record.kind === 'run' && goesOn(record);
        const head = { ...named, digest: lineDigest(line) };
        group = {
          head,
          hash: createHash('sha256'),
          files: createFileListDigest(),
          isOpen,
          referenced: { artifacts: 0, bytes: 0 },
        };
      }
      group?.hash.update(line);
      if (record.kind === 'artifact' || record.kind === 'object_artifact') {
        if (!(await hasBytes(record))) break;
        group?.files.add(record);
        if (record.sha256 === undefined && group !== undefined) {
          group.referenced.artifacts += 1;
          group.referenced.bytes += record.size;
        }
      }
      const commit = commits[0];
      if (commit === undefined || commit.line.lines > bytes) continue;
      commits.shift();
      if (group === undefined || commit.line.lines < bytes || tally.end().sha256 !== commit.line.sha256)
        break;
      const { head, hash, files, isOpen, referenced } = group;
      const readAgain = isOpen || commit.line.noted;
      records.push({
        ...head,
        files: files.list()?.sizes,
        all: hash.digest('base64'),
        readAgain,
        referenced,
      });
      kept = { tally: tally.copy(), commit };
      group = undefined;
    }
  } catch (error) {
    // Damaged or cut: what was checked before it stands.
    if (!(error instanceof MlferryError) || error.meaning.exit !== 5) throw error;
  }
  return kept === undefined ? undefined : { records, ...kept };
}

/** The object that a line begins. */
function nameOf(record: WireRecord): { kind: string; id: string } | undefined {
  if (record.kind === 'experiment') return { kind: record.kind, id: record.experiment_id };
  if (record.kind === 'run') return { kind: record.kind, id: record.run_id };
  return record.kind === 'object' ? { kind: record.of.kind, id: idOf(record.of, record.record) } : undefined;
}
