import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import { isSqlite } from '../is-sqlite.ts';
import { type LocationText, pathIdentity } from '../location-text.ts';

/** A database of MLflow, and which of its workspaces (MLflow 3.10 and newer). */
export interface DatabaseLocation {
  readonly dialect: 'sqlite';
  /** The file. */
  readonly path: string;
  /** `undefined`: none is named, which means `default`. */
  readonly workspace: string | undefined;
}

/** SQLAlchemy's URI: dialect, driver, what comes behind `//`. */
const URI = /^([a-z]+)(?:\+\w+)?:(?:\/\/)?(.*)$/is;

/**
 * The database that a location names: an SQLAlchemy URI as MLflow takes it in `--backend-store-uri`
 * (`sqlite:///relative`, `sqlite:////absolute`), or the path of a SQLite file, which is known by its content. Throws
 * LOCATION for a URI that names none.
 */
export function databaseLocation({ text, path }: LocationText): DatabaseLocation | undefined {
  if (path !== undefined)
    return isSqlite(path) ? { dialect: 'sqlite', path, workspace: undefined } : undefined;
  const [, dialect = '', rest = ''] = URI.exec(text) ?? [];
  if (dialect.toLowerCase() !== 'sqlite') return undefined;
  const [file = '', query = ''] = rest.split('?', 2);
  const parameters = new URLSearchParams(query);
  const workspace = parameters.get('workspace') ?? undefined;
  if (workspace === '') throw new MlferryError('LOCATION', `"${redact(text)}": the workspace has no name`);
  const own = file.replace(/^\//, '').replace(/^file:(?=.)/, '');
  if (own === '' || own === ':memory:' || !/^sqlite(\+\w+)?:\/\/\//i.test(text)) {
    throw new MlferryError('LOCATION', `"${redact(text)}" names no file`, {
      hint: 'sqlite:///mlflow.db is a file in this directory, sqlite:////data/mlflow.db one by its whole path.',
    });
  }
  return { dialect: 'sqlite', path: own, workspace };
}

/** One text for one database and workspace, without credentials. */
export function databaseIdentity({ path, workspace }: DatabaseLocation): string {
  return `sqlite:///${pathIdentity(path)}${workspaceEnd(workspace)}`;
}

const workspaceEnd = (workspace: string | undefined) =>
  workspace === undefined || workspace === 'default' ? '' : `?workspace=${encodeURIComponent(workspace)}`;
