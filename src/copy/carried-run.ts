import { createHash } from 'node:crypto';
import { takesAllFiles } from '../kinds/file-rules.ts';
import type { ObjectKind } from '../kinds/kind.ts';
import { kindOf } from '../kinds/kinds.ts';
import { linksOf, MODEL, withLinks } from '../kinds/model-links.ts';
import { isLeftOut, missingWords, type Parts } from '../kinds/parts.ts';
import { fileListOf, type ToldFiles } from '../model/file-list.ts';
import type { Run } from '../model/records.ts';
import { withChosenFiles } from '../places/chosen-files.ts';
import type { RunReader } from '../places/place.ts';

/** A source run with all its links to models, reduced to the parts that are carried; `onRead` hears of points and bytes as they flow. */
export async function carriedRun(
  source: RunReader,
  parts: Parts,
  onRead: (points: number, bytes: number) => void,
): Promise<RunReader> {
  const links = isLeftOut(kindOf(MODEL), parts) ? linksOf({}) : await source.modelLinks?.();
  const whole = links === undefined ? source.run : withLinks(source.run, links);
  const run: Run = parts.metrics ? whole : { ...whole, latest_metrics: {} };
  const fileList = parts.artifacts ? carriedFileList(source, parts) : async () => undefined;
  return {
    run,
    ...(fileList === undefined ? {} : { fileList }),
    async *metrics() {
      if (!parts.metrics) return;
      for await (const piece of source.metrics()) {
        onRead(piece.points.length, 0);
        yield piece;
      }
    },
    async *artifacts() {
      if (parts.artifacts) yield* source.artifacts();
    },
    async open(artifact) {
      const body = await source.open(artifact);
      body?.on('data', (chunk: Buffer) => onRead(0, chunk.length));
      body?.pause();
      return body;
    },
  };
}

/** The list of the files of a run that are carried, where its source has one. */
function carriedFileList(source: RunReader, { files }: Parts): RunReader['fileList'] {
  const { fileList } = source;
  if (fileList === undefined || takesAllFiles(files)) return fileList;
  return () => fileListOf(withChosenFiles(source, files).artifacts());
}

/** What the source tells of the files of a run that are carried; absent where none are. */
export function carriedFiles(source: RunReader, parts: Parts): (() => Promise<ToldFiles>) | undefined {
  if (!parts.artifacts) return undefined;
  return carriedFileList(source, parts) ?? (async () => 'unlisted');
}

/**
 * The digest of a run or another object of which only some parts are carried, or whose like may name what is left out: a later
 * full copy must not take it for complete.
 */
export function partDigest(of: ObjectKind, full: string, parts: Parts): string {
  const { metrics, artifacts } = of.kind === 'run' ? parts : parts.objects;
  const missing = missingWords(of, parts).map((word) => ` ${word}=false`);
  if (parts.keepModelFiles) missing.push(' model_files=kept');
  const takesAll = !artifacts || !of.artifacts || takesAllFiles(parts.files);
  if (metrics && artifacts && missing.length === 0 && takesAll) return full;
  const files = takesAll ? '' : ` files=${JSON.stringify(parts.files)}`;
  return createHash('sha256')
    .update(`${full} metrics=${metrics} artifacts=${artifacts}${missing.join('')}${files}`)
    .digest('hex');
}
