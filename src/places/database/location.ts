import { resolve } from 'node:path';
import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import { isSqlite } from '../is-sqlite.ts';
import { type LocationText, pathIdentity } from '../location-text.ts';
import { mustBeUnderstood } from './parameters.ts';

/** A SQLite file of MLflow. */
export interface FileDatabase {
  readonly dialect: 'sqlite';
  readonly path: string;
  /** For people. */
  readonly name: string;
  /** The workspace (MLflow 3.10 and newer); `undefined`: none is named, which means `default`. */
  readonly workspace: string | undefined;
}

/** A database of MLflow on a PostgreSQL, MySQL or MariaDB server. */
export interface ServerDatabase extends Pick<FileDatabase, 'name' | 'workspace'> {
  readonly dialect: 'postgresql' | 'mysql';
  /** A name, an address, or the path of a socket or of its directory. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  readonly parameters: URLSearchParams;
  /** As it was written. */
  readonly text: string;
}

/** MLflow's backend database. */
export type DatabaseLocation = FileDatabase | ServerDatabase;

/** Where servers listen unless they are told otherwise. */
const PORTS = { postgresql: 5432, mysql: 3306 } as const;

const DIALECTS: Readonly<Record<string, DatabaseLocation['dialect']>> = {
  sqlite: 'sqlite',
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
};

/**
 * The database that a location names: an SQLAlchemy URI as MLflow takes it in `--backend-store-uri`
 * (`sqlite:///relative`, `sqlite:////absolute`, `postgresql+psycopg2://user@host/name`), whatever its driver, or the path of a
 * SQLite file, which is known by its content. Throws LOCATION for a URI that names none.
 */
export function databaseLocation({ text, path }: LocationText): DatabaseLocation | undefined {
  if (path !== undefined)
    return isSqlite(path) ? { dialect: 'sqlite', path, name: path, workspace: undefined } : undefined;
  const [, scheme = '', rest = ''] = /^([a-z]+)(?:\+\w+)?:(.*)$/is.exec(text) ?? [];
  const dialect = DIALECTS[scheme.toLowerCase()];
  if (dialect === undefined) return undefined;
  return dialect === 'sqlite' ? fileDatabase(text, rest) : serverDatabase(text, dialect, rest);
}

function fileDatabase(text: string, rest: string): FileDatabase {
  const [file = '', query = ''] = rest.split('?', 2);
  const path = /^\/\/\/(?:file:(?=.))?(.+)$/s.exec(file)?.[1];
  if (path === undefined || path === ':memory:') {
    throw new MlferryError('LOCATION', `"${redact(text)}" names no file`, {
      hint: 'sqlite:///mlflow.db is a file in this directory, sqlite:////data/mlflow.db one by its whole path.',
    });
  }
  const parameters = new URLSearchParams(query);
  mustBeUnderstood(text, 'sqlite', parameters);
  return { dialect: 'sqlite', path, name: path, workspace: workspaceIn(text, parameters) };
}

function serverDatabase(text: string, dialect: ServerDatabase['dialect'], rest: string): ServerDatabase {
  const address = `${dialect}:${rest}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const database = decoded(url?.pathname.slice(1) ?? '');
  if (url === undefined || database === undefined || !/^[^/]+$/.test(database)) {
    throw new MlferryError('LOCATION', `"${redact(text)}" names no database`, {
      hint: `It is of the form ${dialect}://user@host:port/name.`,
    });
  }
  const { searchParams: parameters } = url;
  mustBeUnderstood(text, dialect, parameters);
  const workspace = workspaceIn(text, parameters);
  const given = parameters.get('unix_socket') ?? parameters.get('host') ?? (url.hostname || '127.0.0.1');
  // Names of hosts are the same in any case; a directory or socket is not.
  const host = given.startsWith('/') ? given : given.toLowerCase();
  const port = Number(parameters.get('port') ?? url.port) || PORTS[dialect];
  const options = parameters.get('options');
  const schema = options === null ? '' : ` (${options})`;
  return {
    dialect,
    name: `${dialect}://${host}${port === PORTS[dialect] ? '' : `:${port}`}/${database}${workspaceEnd(workspace)}${schema}`,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port,
    user: parameters.get('user') ?? (decoded(url.username) || undefined),
    password: parameters.get('password') ?? (decoded(url.password) || undefined),
    database,
    parameters,
    text,
    workspace,
  };
}

function workspaceIn(text: string, parameters: URLSearchParams): string | undefined {
  const workspace = parameters.get('workspace') ?? undefined;
  if (workspace === '') throw new MlferryError('LOCATION', `"${redact(text)}": the workspace has no name`);
  return workspace;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** One text for one database and workspace, without credentials. */
export function databaseIdentity(location: DatabaseLocation): string {
  if (location.dialect !== 'sqlite') return location.name;
  return `sqlite:///${pathIdentity(location.path)}${workspaceEnd(location.workspace)}`;
}

/** The location with a whole path; of a database server as it was written. */
export function absoluteLocation(location: DatabaseLocation): string {
  if (location.dialect !== 'sqlite') return location.text;
  return `sqlite:///${resolve(location.path)}${workspaceEnd(location.workspace)}`;
}

const workspaceEnd = (workspace: string | undefined) =>
  workspace === undefined || workspace === 'default' ? '' : `?workspace=${encodeURIComponent(workspace)}`;
