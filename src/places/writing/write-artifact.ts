import { placeFile, writeBody } from '../../artifacts/local/put-file.ts';
import { systemCode } from '../../util/errors.ts';
import type { ArtifactEntry, ArtifactOwner } from '../artifact-owner.ts';

/** What became of an artifact: bytes written, or why it could not be. */
export type ArtifactOutcome =
  | { readonly bytes: number }
  | { readonly code: 'ARTIFACT_NAME' | 'ARTIFACTS_NOT_CARRIED'; readonly reason: string };

/**
 * Streams an artifact to `directory`, durable when this returns: written at `temporary` and renamed. Throws SHORT_BODY
 * when the bytes are not as many as were listed, the source's error, or a system error.
 */
export async function writeArtifact(
  source: ArtifactOwner,
  entry: ArtifactEntry,
  directory: string,
  temporary: string,
): Promise<ArtifactOutcome> {
  const body = await source.open(entry);
  if (body === undefined)
    return { code: 'ARTIFACTS_NOT_CARRIED', reason: 'the source does not hold its bytes' };
  const name = `Artifact ${JSON.stringify(entry.path)}`;
  const bytes = await writeBody(temporary, { body, size: entry.size, name, durable: true });
  try {
    await placeFile(temporary, directory, entry.path);
    return { bytes };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENAMETOOLONG') return { code: 'ARTIFACT_NAME', reason: 'its path is too long' };
    if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENOTEMPTY') {
      return { code: 'ARTIFACT_NAME', reason: 'a file and a directory would have the same name' };
    }
    throw error;
  }
}
