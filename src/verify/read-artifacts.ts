import type { ArtifactOwner } from '../places/artifact-owner.ts';
import { MlferryError } from '../util/errors.ts';
import type { CheckFrame } from './check-frame.ts';

/** Reads the files of a run or another object through. */
export async function readArtifacts(
  source: ArtifactOwner,
  { parts, progress }: Pick<CheckFrame, 'parts' | 'progress'>,
): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for await (const entry of source.artifacts()) {
    files += 1;
    const isChecked = source.hasCheckedBytes === true && entry.sha256 !== undefined;
    if (parts.quick || isChecked) {
      bytes += entry.size ?? 0;
      if (!parts.quick) progress.amount(0, entry.size ?? 0);
      continue;
    }
    const body = await source.open(entry);
    if (body === undefined) continue;
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array))
        throw new MlferryError('BUG', `${entry.path} gave something else than bytes`);
      bytes += chunk.length;
      progress.amount(0, chunk.length);
    }
  }
  return { files, bytes };
}
