import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { openArchiveReader } from './archive/reader.ts';
import { openArchiveWriter } from './archive/writer.ts';
import { openFileStoreManager } from './filestore/manage/manager.ts';
import { openFileStoreReader } from './filestore/read/reader.ts';
import { openFileStoreWriter } from './filestore/write/writer.ts';
import { parseLocation } from './location.ts';
import type { Manager, PlaceOptions, Reader, Writer, WriterOptions } from './place.ts';
import { openServerManager } from './server/manage/manager.ts';
import { openServerReader } from './server/read/reader.ts';
import { openServerWriter } from './server/write/writer.ts';
import { openStreamReader } from './stream/reader.ts';
import { openStreamWriter } from './stream/writer.ts';

/** Opens a place for reading. An archive or stream is checked whole before this returns. */
export async function openReader(location: string, options: PlaceOptions): Promise<Reader> {
  const place = parseLocation(location);
  switch (place.kind) {
    case 'server':
    case 'databricks':
      return openServerReader(place, options);
    case 'filestore':
      return openFileStoreReader(place, options);
    case 'archive':
      return openArchiveReader(place, options);
    case 'stream':
      return openStreamReader(place, options);
  }
}

/** Opens a place for writing. */
export async function openWriter(location: string, options: WriterOptions): Promise<Writer> {
  const place = parseLocation(location);
  switch (place.kind) {
    case 'server':
    case 'databricks':
      return openServerWriter(place, options);
    case 'filestore':
      return openFileStoreWriter(place, options);
    case 'archive':
      return openArchiveWriter(place, options);
    case 'stream':
      return openStreamWriter(place, options);
  }
}

/** Opens a place whose runs and experiments can be changed in place. Throws LOCATION for an archive or stream. */
export async function openManager(location: string, options: PlaceOptions): Promise<Manager> {
  const place = parseLocation(location);
  switch (place.kind) {
    case 'server':
    case 'databricks':
      return openServerManager(place, options);
    case 'filestore':
      return openFileStoreManager(place, options);
    case 'archive':
    case 'stream':
      throw new MlferryError('LOCATION', `"${redact(location)}" cannot be changed in place`, {
        hint: 'Runs are managed on tracking servers and in mlruns directories.',
      });
  }
}
