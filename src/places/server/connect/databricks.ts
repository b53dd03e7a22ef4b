import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { bearer, type Credentials } from './auth.ts';
import { iniSection } from './ini-section.ts';

type Environment = PlaceOptions['environment'];
type Settings = ReadonlyMap<string, string>;

/** A Databricks workspace: where it is and what lets us in. */
export interface DatabricksWorkspace {
  readonly url: URL;
  readonly credentials: Credentials;
}

/** Settings of authentication methods other than a personal access token (databricks-sdk, config.py). */
const OTHER_METHODS =
  /^(client_id|client_secret|username|password|azure_.*|google_.*|account_id|metadata_service_url)$/;

/**
 * The workspace of the location `databricks` or `databricks://PROFILE`, with a personal access token: a named profile is
 * a section of `~/.databrickscfg` (or DATABRICKS_CONFIG_FILE); without one it is DATABRICKS_HOST and DATABRICKS_TOKEN, or
 * else the profile of DATABRICKS_CONFIG_PROFILE, of `default_profile`, or `DEFAULT`, in the order of Databricks' own SDKs.
 * Sections do not inherit from `DEFAULT`. Throws CREDENTIALS when something is missing, UNSUPPORTED for other methods.
 */
export async function findDatabricks(
  profile: string | undefined,
  environment: Environment,
): Promise<DatabricksWorkspace> {
  const named = profile ?? given(environment, 'DATABRICKS_CONFIG_PROFILE');
  const host = given(environment, 'DATABRICKS_HOST');
  const token = given(environment, 'DATABRICKS_TOKEN');
  if (profile === undefined && (host !== undefined || token !== undefined)) {
    if (host === undefined || token === undefined) {
      const [set, missing] = host === undefined ? ['TOKEN', 'HOST'] : ['HOST', 'TOKEN'];
      refuseOthers(fromEnvironment(environment), 'the environment');
      throw new MlferryError('CREDENTIALS', `DATABRICKS_${set} is set but DATABRICKS_${missing} is not`, {
        hint: HINT,
      });
    }
    return workspaceOf(host, token, 'DATABRICKS_HOST and DATABRICKS_TOKEN');
  }
  const { path, text } = await configFile(environment);
  const section = named ?? iniSection(text, '__settings__')?.get('default_profile') ?? 'DEFAULT';
  const settings = iniSection(text, section);
  if (settings === undefined)
    throw new MlferryError('CREDENTIALS', `${path} has no profile ${JSON.stringify(section)}`, {
      hint: HINT,
    });
  const origin = `profile ${section} of ${path}`;
  const [ownHost, ownToken] = [settings.get('host'), settings.get('token')];
  if (ownToken === undefined) refuseOthers(settings, origin);
  if (!ownHost || !ownToken) {
    throw new MlferryError('CREDENTIALS', `The ${origin} has no ${ownHost ? 'token' : 'host'}`, {
      hint: HINT,
    });
  }
  return workspaceOf(ownHost, ownToken, origin);
}

const HINT =
  'Set DATABRICKS_HOST and DATABRICKS_TOKEN, or put host and token into a profile of ~/.databrickscfg.';

function workspaceOf(host: string, token: string, origin: string): DatabricksWorkspace {
  const text = /^[a-z]+:\/\//i.test(host) ? host : `https://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new MlferryError('CREDENTIALS', `The host in ${origin} is not a workspace's address`, {
      hint: HINT,
    });
  return { url, credentials: bearer(token, origin) };
}

function refuseOthers(settings: Settings, origin: string): void {
  const type = settings.get('auth_type');
  const other = [...settings.keys()].find((key) => OTHER_METHODS.test(key));
  if ((type === undefined || type === 'pat') && other === undefined) return;
  const method = type ?? other ?? '';
  throw new MlferryError(
    'UNSUPPORTED',
    `Databricks: ${origin} asks for ${JSON.stringify(method)}; mlferry knows personal access tokens only`,
    { hint: HINT },
  );
}

/** DATABRICKS_CLIENT_ID … as the settings of a profile. */
function fromEnvironment(environment: Environment): Settings {
  const entries = Object.entries(environment).flatMap(([name, value]): Array<[string, string]> => {
    const key = /^DATABRICKS_(.+)$/.exec(name)?.[1]?.toLowerCase();
    return key === undefined || value === undefined || value === '' ? [] : [[key, value]];
  });
  return new Map(entries);
}

async function configFile(environment: Environment): Promise<{ path: string; text: string }> {
  const home = given(environment, 'HOME') ?? given(environment, 'USERPROFILE');
  const path =
    given(environment, 'DATABRICKS_CONFIG_FILE') ??
    (home === undefined ? undefined : join(home, '.databrickscfg'));
  if (path === undefined)
    throw new MlferryError('CREDENTIALS', 'No Databricks workspace is named', { hint: HINT });
  try {
    return { path, text: await readFile(path, 'utf8') };
  } catch (error) {
    const reason = systemCode(error) ?? 'unknown reason';
    throw new MlferryError('CREDENTIALS', `${path} cannot be read: ${reason}`, { cause: error, hint: HINT });
  }
}

function given(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}
