import { expect, it } from 'vitest';
import { redact } from '../../src/util/redact.ts';

it.each([
  ['https://user:pw@host/x', 'https://***@host/x'],
  ['see http://tok@h:5000 and s3://a:b@c/d', 'see http://***@h:5000 and s3://***@c/d'],
  [
    'GET https://b/x?X-Amz-Signature=abc&sig=1&other=2',
    'GET https://b/x?X-Amz-Signature=***&sig=***&other=2',
  ],
  ['Authorization: Basic dXNlcjpwdw==', 'Authorization: Basic ***'],
  ['Bearer dapi0123456789', 'Bearer ***'],
  ['a plain text with @ and token', 'a plain text with @ and token'],
])('takes the secret out of %j', (text, expected) => {
  expect(redact(text)).toBe(expected);
});
