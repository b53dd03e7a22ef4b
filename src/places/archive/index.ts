import { describePlace } from '../descriptor.ts';
import { pathIdentity } from '../location-text.ts';
import { RECORD_TRAITS } from '../record-files/traits.ts';
import { ARCHIVE_PIPES, archiveLocation, beginsAsTar } from './location.ts';

/** A tar of records and artifact bytes: `docs/archive-format.md`. */
export const archive = describePlace({
  kind: 'archive',
  words: {
    name: 'archive',
    inMany: 'in archives',
    short: ['*.tar[.gz|.zst]'],
    forms: [['*.tar *.tar.gz *.tgz *.tar.zst', 'an archive; - is stdin, and stdout of backup']],
    example: 'backup.tar',
  },
  traits: RECORD_TRAITS,
  byFileName: true,
  claim: archiveLocation,
  inPipe: { location: ARCHIVE_PIPES.none, compressed: ARCHIVE_PIPES, begins: beginsAsTar },
  // Nothing can be resumed from a pipe.
  identity: ({ path }) => (path === undefined ? undefined : pathIdentity(path)),
  reader: async () => (await import('./reader.ts')).openArchiveReader,
  writer: async () => (await import('./writer.ts')).openArchiveWriter,
});
