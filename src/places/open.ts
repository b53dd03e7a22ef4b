import { openArchiveReader } from './archive/reader.ts';
import { openArchiveWriter } from './archive/writer.ts';
import { openFileStoreReader } from './filestore/reader.ts';
import { openFileStoreWriter } from './filestore/writer.ts';
import { parseLocation } from './location.ts';
import type { PlaceOptions, Reader, Writer, WriterOptions } from './place.ts';
import { openServerReader } from './server/reader.ts';
import { openServerWriter } from './server/writer.ts';
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
