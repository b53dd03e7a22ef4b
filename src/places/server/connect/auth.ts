import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { secretOfCommand } from '../../secret-command.ts';
import { iniSection } from './ini-section.ts';

type Environment = PlaceOptions['environment'];

const SIDES = ['MLFERRY_FROM', 'MLFERRY_TO'];

/** What authenticates requests. `origin` says where it was found, for messages; it holds no secret. */
export interface Credentials {
  /** Value of the `Authorization` header. */
  readonly authorization: string;
  readonly origin: string;
  /** The texts that must not be shown, as they may stand in an answer. */
  readonly secrets: readonly string[];
}

/**
 * The credentials of a server, from the first place that has some: `MLFERRY_FROM_*`/`MLFERRY_TO_*` (with `eitherSide` those of
 * the other side too, behind its own), user info in the URL, then as MLflow does it: MLFLOW_TRACKING_USERNAME and _PASSWORD (each also from `~/.mlflow/credentials`), which
 * win over MLFLOW_TRACKING_TOKEN. `undefined`: none. Throws CREDENTIALS on half a pair or an unusable text.
 */
export async function findCredentials(
  url: URL,
  options: Pick<PlaceOptions, 'side' | 'environment' | 'eitherSide'>,
): Promise<Credentials | undefined> {
  const { environment } = options;
  const [own, other] = options.side === 'from' ? SIDES : SIDES.toReversed();
  for (const prefix of options.eitherSide === true ? [own, other] : [own]) {
    const side = prefix === undefined ? undefined : await ofSide(environment, prefix);
    if (side !== undefined) return side;
  }
  if (url.username !== '' || url.password !== '') {
    return basic(decode(url.username), decode(url.password), 'the URL');
  }
  const file = await credentialsFile(environment);
  const username = given(environment, 'MLFLOW_TRACKING_USERNAME') ?? file.get('mlflow_tracking_username');
  const password = given(environment, 'MLFLOW_TRACKING_PASSWORD') ?? file.get('mlflow_tracking_password');
  if (username && password) {
    return basic(username, password, 'MLFLOW_TRACKING_USERNAME/_PASSWORD or ~/.mlflow/credentials');
  }
  const token = given(environment, 'MLFLOW_TRACKING_TOKEN');
  return token === undefined ? undefined : bearer(token, 'MLFLOW_TRACKING_TOKEN');
}

/** What to set where a server wants credentials and there are none, for the place of this side. */
export function missingCredentials({
  side,
  environment,
}: Pick<PlaceOptions, 'side' | 'environment'>): string {
  const [own = '', other = ''] = side === 'from' ? SIDES : SIDES.toReversed();
  const set = Object.keys(environment).find(
    (name) =>
      /_(TOKEN|USERNAME|PASSWORD)(_COMMAND)?$/.test(name) &&
      name.startsWith(`${other}_`) &&
      given(environment, name) !== undefined,
  );
  const wrong =
    set === undefined ? '' : `${set} is set, which is for the ${side === 'from' ? 'target' : 'source'}. `;
  return `${wrong}Set ${own}_TOKEN, or ${own}_USERNAME and ${own}_PASSWORD; ${own}_TOKEN_COMMAND and ${own}_PASSWORD_COMMAND hold commands that print them.`;
}

async function ofSide(environment: Environment, prefix: string): Promise<Credentials | undefined> {
  const username = given(environment, `${prefix}_USERNAME`);
  const password = await secret(environment, `${prefix}_PASSWORD`);
  if (username !== undefined && password !== undefined) {
    return basic(username, password, `${prefix}_USERNAME/_PASSWORD`);
  }
  const token = await secret(environment, `${prefix}_TOKEN`);
  if (token !== undefined) return bearer(token, `${prefix}_TOKEN`);
  if (username === undefined && password === undefined) return undefined;
  const [set, missing] = username === undefined ? ['PASSWORD', 'USERNAME'] : ['USERNAME', 'PASSWORD'];
  throw new MlferryError('CREDENTIALS', `${prefix}_${set} is set but ${prefix}_${missing} is not`);
}

/** The value of a variable, or what the command prints that stands in the variable `…_COMMAND`. */
async function secret(environment: Environment, name: string): Promise<string | undefined> {
  return given(environment, name) ?? (await secretOfCommand(environment, `${name}_COMMAND`));
}

function given(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}

function basic(username: string, password: string, origin: string): Credentials {
  const encoded = Buffer.from(`${username}:${password}`).toString('base64');
  // A name such as `admin` may stand in any message; one with digits or signs may be half a key.
  const shown = /^[a-z]{0,12}$/i.test(username) ? [password] : [password, username];
  const secrets = [...shown, ...shown.map((text) => encodeURIComponent(text.toWellFormed())), encoded];
  return { authorization: `Basic ${encoded}`, origin, secrets };
}

/** A Bearer token; `origin` says where it was found. Throws CREDENTIALS when no header can carry it. */
export function bearer(token: string, origin: string): Credentials {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new MlferryError(
      'CREDENTIALS',
      `The token in ${origin} has characters that no HTTP header can carry`,
    );
  }
  return { authorization: `Bearer ${token}`, origin, secrets: [token] };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function credentialsFile(environment: Environment): Promise<ReadonlyMap<string, string>> {
  const home = given(environment, 'HOME') ?? given(environment, 'USERPROFILE');
  if (home === undefined) return new Map();
  const path = join(home, '.mlflow', 'credentials');
  try {
    return iniSection(await readFile(path, 'utf8'), 'mlflow') ?? new Map();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return new Map();
    throw new MlferryError(
      'CREDENTIALS',
      `${path} cannot be read: ${systemCode(error) ?? 'unknown reason'}`,
      { cause: error },
    );
  }
}
