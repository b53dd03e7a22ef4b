import type { ToldFiles } from '../../model/file-list.ts';
import type { RunReader } from '../place.ts';

/** What a source tells of a run's files before they are asked for. */
export async function toldFiles({ fileList }: Pick<RunReader, 'fileList'>): Promise<ToldFiles> {
  return fileList === undefined ? 'unlisted' : fileList();
}
