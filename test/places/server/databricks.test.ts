import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findDatabricks } from '../../../src/places/server/connect/databricks.ts';
import { serverAt } from '../locations.ts';
import { connectTo } from './connect-to.ts';
import { startFake } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

async function found(profile: string | undefined, environment: Record<string, string>) {
  const { url, credentials } = await findDatabricks(profile, environment);
  return { url: url.href, ...credentials };
}

/** A home directory with this `.databrickscfg`. */
async function home(text: string) {
  const { tempDir } = (await placeOptions()).options;
  await writeFile(join(tempDir, '.databrickscfg'), text);
  return { HOME: tempDir };
}

describe('the location', () => {
  it('is databricks or databricks://PROFILE', () => {
    expect(serverAt('databricks')).toMatchObject({ kind: 'databricks', profile: undefined });
    expect(serverAt('databricks://my-profile')).toMatchObject({ kind: 'databricks', profile: 'my-profile' });
  });

  it.each(['databricks:', 'databricks://', 'databricks://scope:prefix', 'databricks://a/b'])(
    '%s is none',
    (text) => {
      expect(() => serverAt(text)).toThrow(expect.objectContaining({ code: 'LOCATION' }));
    },
  );
});

describe('host and token', () => {
  const CONFIG = `
[DEFAULT]
host = https://default.example.com/
token = dapi-default

[team]
host  = team.example.com
token = dapi-team#1;2

[robot]
host = https://robot.example.com
client_id = 1
client_secret = secret-canary

[bare]
host = https://bare.example.com
`;

  it('come from the environment', async () => {
    expect(await found(undefined, { DATABRICKS_HOST: 'a.example.com', DATABRICKS_TOKEN: 'dapi-1' })).toEqual({
      url: 'https://a.example.com/',
      authorization: 'Bearer dapi-1',
      origin: 'DATABRICKS_HOST and DATABRICKS_TOKEN',
      secrets: ['dapi-1'],
    });
  });

  it('come from a named profile, whatever the environment says', async () => {
    const environment = {
      ...(await home(CONFIG)),
      DATABRICKS_HOST: 'https://other',
      DATABRICKS_TOKEN: 'other',
    };
    const { url, authorization } = await found('team', environment);
    expect([url, authorization]).toEqual(['https://team.example.com/', 'Bearer dapi-team#1;2']);
  });

  it('come from DEFAULT, default_profile or DATABRICKS_CONFIG_PROFILE', async () => {
    const environment = await home(CONFIG);
    expect((await found(undefined, environment)).url).toBe('https://default.example.com/');
    const named = { ...environment, DATABRICKS_CONFIG_PROFILE: 'team' };
    expect((await found(undefined, named)).url).toBe('https://team.example.com/');
    const chosen = await home(`${CONFIG}[__settings__]\ndefault_profile = team\n`);
    expect((await found(undefined, chosen)).url).toBe('https://team.example.com/');
    const elsewhere = { DATABRICKS_CONFIG_FILE: join(environment.HOME, '.databrickscfg') };
    expect((await found('team', elsewhere)).url).toBe('https://team.example.com/');
  });

  it.each<[what: string, profile: string | undefined, environment: Record<string, string>, message: RegExp]>([
    [
      'half a pair',
      undefined,
      { DATABRICKS_HOST: 'h' },
      /DATABRICKS_HOST is set but DATABRICKS_TOKEN is not/,
    ],
    ['no such profile', 'nobody', {}, /has no profile "nobody"/],
    ['no token', 'bare', {}, /has no token/],
    ['another method', 'robot', {}, /asks for "client_id"; mlferry knows personal access tokens only/],
    [
      'another method in the environment',
      undefined,
      { DATABRICKS_HOST: 'h', DATABRICKS_CLIENT_ID: '1', DATABRICKS_CLIENT_SECRET: 'secret-canary' },
      /asks for "client_id"/,
    ],
  ])('are refused for %s, without a secret in the message', async (_, profile, environment, message) => {
    const all = { ...(await home(CONFIG)), ...environment };
    const error: unknown = await findDatabricks(profile, all).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(JSON.stringify(error)).not.toContain('canary');
  });

  it('says which file is missing', async () => {
    await expect(findDatabricks(undefined, { HOME: '/nonexistent' })).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: '/nonexistent/.databrickscfg cannot be read: ENOENT',
    });
  });
});

describe('the connection', () => {
  it('asks for no version, sends the token and none of MLflow’s credentials', async () => {
    const fake = await startFake(() => undefined);
    const client = await connectTo('databricks', {
      DATABRICKS_HOST: fake.url.href,
      DATABRICKS_TOKEN: 'dapi-1',
      MLFLOW_TRACKING_TOKEN: 'other',
    });
    expect(client.server).toEqual({
      version: undefined,
      store_type: undefined,
      workspaces: false,
      databricks: true,
    });
    expect(fake.seen.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/api/2.0/mlflow/experiments/search', 'Bearer dapi-1'],
    ]);
    await client.close();
  });
});
