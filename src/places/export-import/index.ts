import { describePlace } from '../descriptor.ts';
import { pathIdentity } from '../location-text.ts';
import { exportLocation } from './location.ts';
import { EXPORT_TRAITS } from './traits.ts';

/** A directory written by mlflow-export-import: docs/from-mlflow-export-import.md. */
export const exportImport = describePlace({
  kind: 'export-import',
  words: {
    name: 'directory of mlflow-export-import',
    inMany: 'in directories of mlflow-export-import',
    short: ['a directory of mlflow-export-import'],
    forms: [['./export', 'a directory that mlflow-export-import wrote (read only)']],
    example: './export',
  },
  traits: EXPORT_TRAITS,
  byContent: true,
  claim: exportLocation,
  identity: ({ path }) => pathIdentity(path),
  reader: async () => (await import('./reader.ts')).openExportReader,
});
