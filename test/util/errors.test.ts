import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { asMlferryError, MlferryError } from '../../src/util/errors.ts';

const systemError = (code: string, more: object = { path: '/somewhere' }) =>
  Object.assign(new Error(`${code}: as the system says it`), { code, ...more });

it.each([
  ['ENOSPC', 'NO_SPACE'],
  ['EDQUOT', 'NO_SPACE'],
  ['EIO', 'NO_SPACE'],
  ['EACCES', 'DENIED'],
  ['EPERM', 'DENIED'],
  ['EROFS', 'DENIED'],
  ['ENOTDIR', 'REFUSED'],
  ['EMFILE', 'REFUSED'],
  ['ENAMETOOLONG', 'REFUSED'],
])('%s of a file is %s', (code, expected) => {
  expect(asMlferryError(systemError(code))).toMatchObject({
    code: expected,
    message: expect.stringContaining(code),
  });
});

it('a full disk is a full disk whatever was being done; other reasons are what the caller says', () => {
  expect(asMlferryError(systemError('ENOSPC'), 'LOCATION', 'The file')).toMatchObject({ code: 'NO_SPACE' });
  expect(asMlferryError(systemError('EACCES'), 'LOCATION', 'The file')).toMatchObject({
    code: 'LOCATION',
    message: 'The file: EACCES: as the system says it',
  });
  expect(asMlferryError(systemError('ENOTFOUND', {})).code).toBe('BUG');
  expect(asMlferryError('thrown').code).toBe('BUG');
  const own = new MlferryError('USAGE', 'no');
  expect(asMlferryError(own)).toBe(own);
});

it('knows errors that Node really throws', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'errors-test-'));
  const file = join(dir, 'file');
  await writeFile(file, '');
  const error: unknown = await writeFile(join(file, 'below'), '').catch((each: unknown) => each);
  expect(asMlferryError(error)).toMatchObject({ code: 'REFUSED', message: expect.stringContaining(file) });
  await rm(dir, { recursive: true });
});
