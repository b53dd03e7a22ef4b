import { describe, expect, it } from 'vitest';
import { plainText } from '../../src/util/plain-text.ts';
import { redact, redactUri, secretRemover } from '../../src/util/redact.ts';

it.each([
  ['https://user:pw@host/x', 'https://***@host/x'],
  ['https://user:p@ss@host/x', 'https://***@host/x'],
  ['see http://tok@h:5000 and s3://a:b@c/d', 'see http://***@h:5000 and s3://***@c/d'],
  ['"user:secret@host:5000" is no place', '"***@host:5000" is no place'],
  [
    'GET https://b/x?X-Amz-Signature=abc&sig=1&other=2',
    'GET https://b/x?X-Amz-Signature=***&sig=***&other=2',
  ],
  ['Authorization: Basic dXNlcjpwdw==', 'Authorization: Basic ***'],
  ['Bearer dapi0123456789', 'Bearer ***'],
  ['token dapi0123456789abcdef-2 sent', 'token *** sent'],
  ['a plain text with @ and token', 'a plain text with @ and token'],
  [
    'experiment "basic training" and models:/name@alias',
    'experiment "basic training" and models:/name@alias',
  ],
  ['abfss://container@account.dfs.core.windows.net/x', 'abfss://container@account.dfs.core.windows.net/x'],
  ['abfss://c:secret@account/x', 'abfss://***@account/x'],
])('takes the secret out of %j', (text, expected) => {
  expect(redact(text)).toBe(expected);
});

it.each([
  'a',
  'ab:',
  '?key',
  '&token',
  'basic ',
  'bearer\t',
  'http://',
  'x://a:b',
  'abfs://',
  ' ',
  '"',
  'dapi0',
])('is quick with a long text of %j', (piece) => {
  expect(redact(piece.repeat(200_000 / piece.length)).length).toBeGreaterThan(0);
});

it('takes very secrets out, the longest first, and leaves what is too short to be one', () => {
  const remove = secretRemover(['secret', 'secret-and-more', 'abc']);
  expect(remove('secret-and-more, secret, abc')).toBe('***, ***, abc');
});

it('takes credentials out of URIs with a host only', () => {
  expect(redactUri('s3://key:secret@bucket/a')).toBe('s3://***@bucket/a');
  for (const uri of ['/data/a?key=1', 'file:///data/a@b?key=1', 'mlflow-artifacts:/1/a', 'relative/a@b', ''])
    expect(redactUri(uri)).toBe(uri);
});

describe('plainText', () => {
  it('is one line without anything that steers a terminal', () => {
    expect(plainText('a\r\nb\x1b[31mc\u0085d\u2028e\u202ef\ud800')).toBe('a b [31mc d e f\ufffd');
    expect(plainText('ünï 🦙')).toBe('ünï 🦙');
  });

  it('is cut', () => {
    expect(plainText('x'.repeat(5000))).toBe(`${'x'.repeat(2000)}…`);
  });
});
