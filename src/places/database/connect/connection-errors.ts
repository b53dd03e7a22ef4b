import { type ErrorCode, MlferryError, systemCode } from '../../../util/errors.ts';
import { secretRemover } from '../../../util/redact.ts';
import type { DatabaseAddress } from './database-address.ts';

/**
 * What codes of drivers and servers mean: SQLSTATE of PostgreSQL
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html), names of MySQL's errors, and of the system's.
 */
const MEANINGS: ReadonlyArray<readonly [RegExp, ErrorCode]> = [
  [
    /^28|^25006$|^42501$|^ER_(OPTION_PREVENTS|CANT_EXECUTE_IN_READ_ONLY|ACCESS_DENIED|DBACCESS_DENIED|TABLEACCESS_DENIED)/,
    'DENIED',
  ],
  [/^3D000$|^ER_BAD_DB_ERROR$/, 'LOCATION'],
  [
    /^08|^57P|^53|^E(CONN|HOST|NET|PIPE|TIMEDOUT|NOTFOUND|AI)|^PROTOCOL_|^40|^55P03|^ER_(CON_COUNT|SERVER_SHUTDOWN|LOCK)/,
    'UNAVAILABLE',
  ],
];

/** An error of a connection as mlferry's, with the place's name: without its password. */
export function connectionError(error: unknown, { name, password = '' }: DatabaseAddress): unknown {
  if (error instanceof MlferryError || !(error instanceof Error)) return error;
  const code = systemCode(error);
  const lost = /connection|socket|closed|terminated/i.test(error.message);
  const known = MEANINGS.find(([pattern]) => code !== undefined && pattern.test(code))?.[1];
  const meaning = known ?? (code === undefined && lost ? 'UNAVAILABLE' : 'SERVER_ERROR');
  const reason = secretRemover([password])(error.message) || (code ?? 'unknown reason');
  return new MlferryError(meaning, `${name}: ${reason}`, { cause: error, ...hintOf(meaning, reason) });
}

function hintOf(meaning: ErrorCode, reason: string): { readonly hint?: string } {
  if (/no encryption|SSL|TLS|secure transport/i.test(reason))
    return { hint: 'Add ?sslmode=require (or verify-full, with --from-ca) to the location.' };
  if (meaning === 'DENIED')
    return {
      hint:
        'Set MLFERRY_FROM_USERNAME and MLFERRY_FROM_PASSWORD (of a target MLFERRY_TO_…); the user needs SELECT on all tables of ' +
        'MLflow, and INSERT, UPDATE and DELETE where something is written or changed.',
    };
  if (meaning === 'LOCATION')
    return { hint: 'A location ends with the name of a database: …://host:port/NAME.' };
  if (meaning === 'SERVER_ERROR') return { hint: 'The database’s reason is in the message.' };
  return {};
}
