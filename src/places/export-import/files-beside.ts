import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Loss } from '../../model/findings.ts';
import type { ArtifactOwner } from '../artifact-owner.ts';
import { filesAt, type Home } from '../reading/files-at.ts';
import { ARTIFACTS } from './layout.ts';

/** The files of an object, which stand beside its JSON file; what of them is left out goes to `note`. */
export function filesBeside(path: string, note: (loss: Loss) => void): ArtifactOwner {
  return filesAt(() => homeOf(path), note);
}

/** A link in place of the directory is not followed: it could lead anywhere. */
async function homeOf(path: string): Promise<Home> {
  const directory = join(dirname(path), ARTIFACTS);
  const entry = await lstat(directory).catch(() => undefined);
  if (entry?.isSymbolicLink() !== true) return { path: directory };
  const detail = `The artifacts are left out: ${directory} is a symbolic link, which is not followed`;
  return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
}
