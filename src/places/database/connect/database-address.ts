import { readFile } from 'node:fs/promises';
import { MlferryError } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { secretOfCommand } from '../../secret-command.ts';
import type { ServerDatabase } from '../location.ts';
import { saysYes } from '../parameters.ts';

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
  /** Of the session, as libpq has them; PostgreSQL only. */
  readonly options: string | undefined;
  /** `undefined`: without TLS. */
  readonly tls: Tls | undefined;
}

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
    port: place.port,
    user: first(environment[`${prefix}_USERNAME`], place.user, isPostgresql ? environment.PGUSER : undefined),
    password: first(
      environment[`${prefix}_PASSWORD`],
      await secretOfCommand(environment, `${prefix}_PASSWORD_COMMAND`),
      place.password,
      environment[isPostgresql ? 'PGPASSWORD' : 'MYSQL_PWD'],
    ),
    database: place.database,
    options: place.parameters.get('options') ?? undefined,
    tls: await tlsOf(place.parameters, options),
  };
}

/** libpq's modes, and MySQL's, that check who the server is; `prefer` and `allow` encrypt where the server wants it, which no driver here can. */
const CHECKED = /^(verify-ca|verify-full|VERIFY_CA|VERIFY_IDENTITY)$/i;
const ENCRYPTED = /^(require|REQUIRED)$/i;

async function tlsOf(
  parameters: URLSearchParams,
  { tls: { caFile, clientCertFile, insecure } = {} }: PlaceOptions,
): Promise<Tls | undefined> {
  const given = (...names: string[]) => names.flatMap((name) => parameters.get(name) ?? [])[0];
  const yes = (name: string) => saysYes(parameters.get(name));
  const mode = given('sslmode', 'ssl_mode') ?? '';
  const ca = caFile ?? given('sslrootcert', 'ssl_ca');
  const cert = clientCertFile ?? given('sslcert', 'ssl_cert');
  const key = clientCertFile ?? given('sslkey', 'ssl_key') ?? cert;
  const isChecked =
    CHECKED.test(mode) || ['ssl_verify_cert', 'ssl_verify_identity', 'ssl_check_hostname'].some(yes);
  const isOff = /^disable/i.test(mode) || yes('ssl_disabled');
  const isWanted =
    isChecked ||
    ENCRYPTED.test(mode) ||
    yes('ssl') ||
    ca !== undefined ||
    cert !== undefined ||
    insecure === true;
  if (isOff || !isWanted) return undefined;
  return {
    // As in libpq, `require` alone encrypts and checks nothing.
    rejectUnauthorized: insecure !== true && (ca !== undefined || isChecked),
    ...(ca === undefined ? {} : { ca: await fileOf(ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: await fileOf(cert), key: await fileOf(key) }),
  };
}

async function fileOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MlferryError('CREDENTIALS', `${path} cannot be read`, { cause: error });
  }
}
