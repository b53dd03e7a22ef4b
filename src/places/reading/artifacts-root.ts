import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import type { PlaceOptions } from '../place-options.ts';

/** The directory that a user told for this side. Throws LOCATION when it is none. */
export async function artifactsRootOf({
  artifactsRoot,
  toArtifactsRoot,
  side,
}: Pick<PlaceOptions, 'artifactsRoot' | 'toArtifactsRoot' | 'side'>): Promise<string | undefined> {
  const [option, root] =
    side === 'to' ? ['--to-artifacts-root', toArtifactsRoot] : ['--artifacts-root', artifactsRoot];
  if (root === undefined) return undefined;
  if ((await stat(root).catch(() => undefined))?.isDirectory() === true) return resolve(root);
  throw new MlferryError('LOCATION', `${option}: "${redact(root)}" is not a directory`);
}
