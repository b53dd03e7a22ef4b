import { describePlace } from '../descriptor.ts';
import { absoluteLocation, databaseIdentity, databaseLocation } from './location.ts';
import { DATABASE_TRAITS } from './traits.ts';

/** MLflow's backend database, without a server. */
export const database = describePlace({
  kind: 'database',
  words: {
    name: 'database of MLflow',
    inMany: 'in databases of MLflow',
    short: ['a database of MLflow (mlflow.db, postgresql://…)'],
    forms: [
      ['mlflow.db, sqlite:///mlflow.db', "MLflow's backend database"],
      ['postgresql://host/name, mysql://…', 'the same on a database server'],
    ],
    example: 'sqlite:///mlflow.db',
  },
  traits: DATABASE_TRAITS,
  claim: databaseLocation,
  identity: databaseIdentity,
  absolute: absoluteLocation,
  writer: async () => (await import('./write/writer.ts')).openDatabaseWriter,
  manager: async () => (await import('./manage/manager.ts')).openDatabaseManager,
  reader: async () => (await import('./read/reader.ts')).openDatabaseReader,
});
