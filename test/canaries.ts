import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { takenApart } from './places/archive/forge.ts';

/** Secrets that no byte of output may hold: planted wherever a credential can stand, looked for in all that is produced. */
export const CANARIES = {
  token: 'canary-token-5f2c81',
  otherToken: 'canary-other-token-77ab',
  user: 'canary-user-31c9',
  password: 'canary-pass%2F:@wörd-90d1',
  aws: 'canary-aws-secret-44e0',
  proxy: 'canary-proxy-pass-a8b3',
  databricks: 'dapi0123456789abcdef0123456789abcdef',
} as const;

/** Variables that hold secrets of other programs, which a mlferry process sees and has no use for. */
export const FOREIGN_SECRETS: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: CANARIES.aws,
  AWS_SECRET_ACCESS_KEY: CANARIES.aws,
  AWS_SESSION_TOKEN: CANARIES.aws,
  DATABRICKS_TOKEN: CANARIES.databricks,
  HTTP_PROXY: `http://${CANARIES.user}:${CANARIES.proxy}@127.0.0.1:9`,
  HTTPS_PROXY: `http://${CANARIES.user}:${CANARIES.proxy}@127.0.0.1:9`,
  // The servers of the tests are reached directly; a proxy’s password must not show all the same.
  NO_PROXY: '127.0.0.1,localhost,::1',
};

/** Credentials for commands that give none of their own: a server without passwords does not look at them. */
export const UNUSED_CREDENTIALS: Readonly<Record<string, string>> = {
  MLFERRY_FROM_TOKEN: CANARIES.token,
  MLFERRY_TO_TOKEN: CANARIES.otherToken,
  MLFLOW_TRACKING_TOKEN: CANARIES.token,
};

const values = Object.values(CANARIES);
const FORMS = [
  ...values,
  ...values.map(encodeURIComponent),
  Buffer.from(`${CANARIES.user}:${CANARIES.password}`).toString('base64'),
  ...values.map((value) => Buffer.from(value).toString('base64')),
];

/** The canaries in some bytes, in any form: as they are, percent-encoded, base64. */
export function canariesIn(bytes: string | Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  return FORMS.filter((form) => buffer.includes(form));
}

/** `file: canary` for every file below a directory that holds one, compressed or in an archive too. */
export async function canariesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    for (const canary of canariesIn(entry.name)) found.push(`the name ${path}: ${canary}`);
    if (!entry.isFile()) continue;
    for (const bytes of unpacked(await readFile(path)))
      for (const canary of canariesIn(bytes)) found.push(`${path}: ${canary}`);
  }
  return [...new Set(found)];
}

/** Bytes, and what is packed in them. */
function* unpacked(bytes: Buffer): Generator<Buffer> {
  yield bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) yield* unpacked(gunzipSync(bytes));
  else if (bytes.length > 4 && bytes.readUInt32LE(0) === 0xfd2fb528)
    yield* unpacked(zstdDecompressSync(bytes));
  else if (bytes.toString('latin1', 257, 262) === 'ustar')
    for (const { body } of takenApart(bytes).entries) yield* unpacked(body);
}
