import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import type { PlaceOptions } from '../place-options.ts';

/** The directory that a user told. Throws LOCATION when it is none. Only a source has files that stand elsewhere. */
export async function artifactsRootOf({
  artifactsRoot,
  side,
}: Pick<PlaceOptions, 'artifactsRoot' | 'side'>): Promise<string | undefined> {
  if (artifactsRoot === undefined || side === 'to') return undefined;
  if ((await stat(artifactsRoot).catch(() => undefined))?.isDirectory() === true)
    return resolve(artifactsRoot);
  throw new MlferryError('LOCATION', `--artifacts-root: "${redact(artifactsRoot)}" is not a directory`);
}
