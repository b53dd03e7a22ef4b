import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';

const BOOLEAN = /^(true|false|1|0|yes|no|on|off)$/i;

/** What parameters of a URI mean here, by dialect; each with the values that are understood, where not all are. */
const UNDERSTOOD: Readonly<Record<'sqlite' | 'postgresql' | 'mysql', Readonly<Record<string, RegExp>>>> = {
  sqlite: { workspace: /^/ },
  postgresql: {
    workspace: /^/,
    host: /^[^,]+$/,
    port: /^\d{1,5}$/,
    user: /./,
    password: /./,
    // Of the session: `-c search_path=mlflow`.
    options: /./,
    sslmode: /^(disable|allow|prefer|require|verify-ca|verify-full)$/,
    ssl: BOOLEAN,
    sslrootcert: /./,
    sslcert: /./,
    sslkey: /./,
  },
  mysql: {
    workspace: /^/,
    host: /./,
    port: /^\d{1,5}$/,
    user: /./,
    password: /./,
    unix_socket: /^\//,
    // Texts come as they are, whatever a client asks for.
    charset: /^utf8(mb[34])?$/i,
    use_unicode: BOOLEAN,
    ssl: BOOLEAN,
    ssl_ca: /./,
    ssl_cert: /./,
    ssl_key: /./,
    ssl_mode: /^(DISABLED|PREFERRED|REQUIRED|VERIFY_CA|VERIFY_IDENTITY)$/i,
    ssl_disabled: BOOLEAN,
    ssl_verify_cert: BOOLEAN,
    ssl_verify_identity: BOOLEAN,
    ssl_check_hostname: BOOLEAN,
  },
};

/** Of waiting, names and checks of a client: nothing that is read depends on them. */
const WITHOUT_EFFECT =
  /^(application_name|fallback_application_name|connect_timeout|read_timeout|write_timeout|keepalives(_\w+)?|client_encoding|tcp_user_timeout|check_same_thread|timeout|autocommit|local_infile|binary_prefix)$/;

/** Throws LOCATION for a parameter that is not understood: what it asks for would silently not be so. */
export function mustBeUnderstood(
  text: string,
  dialect: keyof typeof UNDERSTOOD,
  parameters: URLSearchParams,
): void {
  for (const [name, value] of parameters) {
    if (WITHOUT_EFFECT.test(name)) continue;
    const values = UNDERSTOOD[dialect][name];
    if (values?.test(value) === true) continue;
    const what = values === undefined ? `the parameter ${name}` : `${name}=${value}`;
    throw new MlferryError('LOCATION', `"${redact(text)}": ${redact(what)} is not understood`, {
      hint: `Understood are ${Object.keys(UNDERSTOOD[dialect]).join(', ')}; docs/databases.md says how.`,
    });
  }
}

/** Whether a parameter says yes. */
export function saysYes(value: string | null): boolean {
  return value !== null && /^(true|1|yes|on)$/i.test(value);
}
