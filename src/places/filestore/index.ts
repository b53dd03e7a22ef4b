import { describePlace } from '../descriptor.ts';
import { pathIdentity } from '../location-text.ts';
import { fileStoreLocation } from './location.ts';
import { FILESTORE_TRAITS } from './traits.ts';

/** MLflow's directory of files. */
export const filestore = describePlace({
  kind: 'filestore',
  words: {
    name: 'mlruns directory',
    inMany: 'in mlruns directories',
    short: ['an mlruns directory'],
    forms: [['./mlruns', 'an MLflow FileStore directory']],
    example: './mlruns',
  },
  traits: FILESTORE_TRAITS,
  claim: fileStoreLocation,
  identity: ({ path }) => pathIdentity(path),
  reader: async () => (await import('./read/reader.ts')).openFileStoreReader,
  writer: async () => (await import('./write/writer.ts')).openFileStoreWriter,
  manager: async () => (await import('./manage/manager.ts')).openFileStoreManager,
});
