import { readFile } from 'node:fs/promises';
import { MlferryError } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { secretOfCommand } from '../../secret-command.ts';
import type { ServerDatabase } from '../location.ts';

/** TLS as drivers take it: PEM texts. */
interface Tls {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where a database server is and who asks. */
export interface DatabaseAddress {
  /** For people: without user and password. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  /** `undefined`: without TLS. */
  readonly tls: Tls | undefined;
}

const PORTS = { postgresql: 5432, mysql: 3306 } as const;

/**
 * The address that a location names. User and password come from `MLFERRY_FROM_USERNAME` and `_PASSWORD` or the command in
 * `_PASSWORD_COMMAND` (`MLFERRY_TO_…` of a target), else from the URI, else from what the engine's own clients read (`PGUSER`, `PGPASSWORD`; `MYSQL_PWD`). TLS is asked for as
 * in their URIs (`sslmode`, `ssl_ca`) or by `--from-ca` and `--from-insecure`. Throws CREDENTIALS for a file of TLS that cannot be
 * read.
 */
export async function databaseAddress(
  place: ServerDatabase,
  options: PlaceOptions,
): Promise<DatabaseAddress> {
  const { environment, side } = options;
  const prefix = side === 'from' ? 'MLFERRY_FROM' : 'MLFERRY_TO';
  const isPostgresql = place.dialect === 'postgresql';
  const first = (...values: (string | undefined)[]) =>
    values.find((value) => value !== undefined && value !== '');
  return {
    name: place.name,
    host: place.host,
    port: place.port ?? PORTS[place.dialect],
    user: first(environment[`${prefix}_USERNAME`], place.user, isPostgresql ? environment.PGUSER : undefined),
    password: first(
      environment[`${prefix}_PASSWORD`],
      await secretOfCommand(environment, `${prefix}_PASSWORD_COMMAND`),
      place.password,
      environment[isPostgresql ? 'PGPASSWORD' : 'MYSQL_PWD'],
    ),
    database: place.database,
    tls: await tlsOf(place.parameters, options),
  };
}

/** libpq's modes that encrypt: those before do where the server wants it, which no driver here can. */
const CHECKED = ['verify-ca', 'verify-full'];

async function tlsOf(
  parameters: URLSearchParams,
  { tls: { caFile, clientCertFile, insecure } = {} }: PlaceOptions,
): Promise<Tls | undefined> {
  const mode = parameters.get('sslmode') ?? '';
  const ca = caFile ?? parameters.get('sslrootcert') ?? parameters.get('ssl_ca') ?? undefined;
  const wanted = mode === 'require' || CHECKED.includes(mode) || parameters.get('ssl') === 'true';
  if (!wanted && ca === undefined && clientCertFile === undefined && insecure !== true) return undefined;
  const pem = clientCertFile === undefined ? undefined : await fileOf(clientCertFile);
  return {
    // As in libpq, `require` alone encrypts and checks nothing.
    rejectUnauthorized: insecure !== true && (ca !== undefined || CHECKED.includes(mode)),
    ...(ca === undefined ? {} : { ca: await fileOf(ca) }),
    ...(pem === undefined ? {} : { cert: pem, key: pem }),
  };
}

async function fileOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MlferryError('CREDENTIALS', `${path} cannot be read`, { cause: error });
  }
}
