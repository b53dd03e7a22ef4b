import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCredentials } from '../../../src/places/server/connect/auth.ts';
import { placeOptions } from './place-options.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const plain = new URL('http://host:5000');

async function found(environment: Record<string, string>, url = plain, side: 'from' | 'to' = 'from') {
  return (await findCredentials(url, { side, environment }))?.authorization;
}

describe('findCredentials', () => {
  it('is undefined without any', async () => {
    expect(await found({})).toBeUndefined();
    expect(
      await found({ MLFLOW_TRACKING_TOKEN: '', MLFLOW_TRACKING_USERNAME: 'only a name' }),
    ).toBeUndefined();
  });

  it('prefers user name and password to a token, as MLflow does', async () => {
    const environment = {
      MLFLOW_TRACKING_USERNAME: 'u',
      MLFLOW_TRACKING_PASSWORD: 'p:ä',
      MLFLOW_TRACKING_TOKEN: 't',
    };
    expect(await found(environment)).toBe(basic('u:p:ä'));
    expect(await found({ ...environment, MLFLOW_TRACKING_PASSWORD: '' })).toBe('Bearer t');
  });

  it('takes the variables of the side first, then the URL, then MLflow’s', async () => {
    const mlflow = { MLFLOW_TRACKING_TOKEN: 'mlflow' };
    const both = {
      ...mlflow,
      MLFERRY_FROM_TOKEN: 'source',
      MLFERRY_TO_USERNAME: 'u',
      MLFERRY_TO_PASSWORD: 'p',
    };
    const url = new URL('http://me:se%40cret@host');
    expect(await found(both, url, 'from')).toBe('Bearer source');
    expect(await found(both, url, 'to')).toBe(basic('u:p'));
    expect(await found(mlflow, url)).toBe(basic('me:se@cret'));
    expect(await found(mlflow)).toBe('Bearer mlflow');
  });

  it('refuses half a pair and a token that no header can carry, without showing either', async () => {
    await expect(found({ MLFERRY_FROM_USERNAME: 'u' })).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: 'MLFERRY_FROM_USERNAME is set but MLFERRY_FROM_PASSWORD is not',
    });
    const error = await found({ MLFLOW_TRACKING_TOKEN: 'canary\nx' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CREDENTIALS' });
    expect(String(error)).not.toContain('canary');
  });

  it('reads ~/.mlflow/credentials as Python’s configparser does; variables win field by field', async () => {
    const { options } = await placeOptions();
    await mkdir(join(options.tempDir, '.mlflow'));
    const text =
      '# c\n[other]\nmlflow_tracking_username = x\n[mlflow]\nMLflow_Tracking_Username: user\nmlflow_tracking_password = p#1;%%"q"\n';
    await writeFile(join(options.tempDir, '.mlflow', 'credentials'), text);
    const HOME = options.tempDir;
    expect(await found({ HOME })).toBe(basic('user:p#1;%"q"'));
    expect(await found({ HOME, MLFLOW_TRACKING_USERNAME: 'other' })).toBe(basic('other:p#1;%"q"'));
  });
});
