import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { MlferryError } from '../../util/errors.ts';
import { artifactPathProblem, isNormalized } from '../artifact-path.ts';
import type { ArtifactStore, StoredFile } from '../store.ts';
import type { S3Address } from './address.ts';
import type { S3Connection } from './connection.ts';
import { copyObject } from './copy.ts';
import { getObject } from './get.ts';
import { hasEtag, plainEtag } from './parts.ts';
import { putObject } from './put.ts';

/** Bytes of a key in UTF-8. */
const MAX_KEY = 1024;
/** Files below one root that are held in memory, to be sorted. */
const MOST_FILES = 1_000_000;

/** The files below a place in S3. */
export function s3Store(connection: S3Connection, root: S3Address): ArtifactStore {
  const { sdk, client, signal, ask, owner } = connection;
  const { bucket: Bucket } = root;
  const prefix = root.key === '' ? '' : `${root.key}/`;
  const at = (path: string): S3Address => ({ bucket: Bucket, key: prefix + path });
  const name = `s3://${Bucket}`;
  const open = (path: string, size: number | undefined) => getObject(connection, at(path), size);

  return {
    name,
    below: (directory) => s3Store(connection, at(directory)),
    async probe() {
      const command = new sdk.ListObjectsV2Command({ ...owner, Bucket, Prefix: prefix, MaxKeys: 1 });
      await ask(`The list of ${name}/${prefix}`, () => client.send(command, { abortSignal: signal }));
    },
    async list() {
      const files: StoredFile[] = [];
      const what = `The list of ${name}/${prefix}`;
      const query = { ...owner, Bucket, Prefix: prefix, EncodingType: 'url' } as const;
      const tokens = new Set<string>();
      for (let ContinuationToken: string | undefined; ; ) {
        const command = new sdk.ListObjectsV2Command({
          ...query,
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        });
        const page = await ask(what, () => client.send(command, { abortSignal: signal }));
        for (const { Key = '', Size = 0, ETag } of page.Contents ?? []) {
          const path = decoded(Key).slice(prefix.length);
          // An empty directory of a console.
          if (path === '' || (path.endsWith('/') && Size === 0)) continue;
          files.push({ path, size: Size, etag: plainEtag(ETag) });
        }
        if (files.length > MOST_FILES)
          throw new MlferryError('SERVER_ERROR', `${name}/${prefix} has more than ${MOST_FILES} files`);
        ContinuationToken = page.NextContinuationToken;
        if (page.IsTruncated !== true) break;
        if (ContinuationToken === undefined || tokens.has(ContinuationToken))
          throw new MlferryError(
            'SERVER_ERROR',
            `${what} does not go on: a page has no next one, or an earlier`,
          );
        tokens.add(ContinuationToken);
      }
      return files.sort((a, b) => (a.path < b.path ? -1 : 1));
    },
    open,
    put: (path, size, body) => putObject(connection, at(path), size, body),
    async hasBytes({ path, size, etag }, body) {
      if (etag !== undefined && (await hasEtag(await body(), size, etag))) return true;
      return (await sha256(await open(path, size))) === (await sha256(await body()));
    },
    origin: ({ path, size, etag }) => ({ ...at(path), endpoint: connection.endpoint, size, etag }),
    copy: (path, from) => copyObject(connection, at(path), from),
    async remove(path) {
      const { bucket, key } = at(path);
      const command = new sdk.DeleteObjectCommand({ ...owner, Bucket: bucket, Key: key });
      await ask(`DELETE s3://${bucket}/${key}`, () => client.send(command));
    },
    pathProblem(path) {
      const problem = artifactPathProblem(path);
      if (problem !== undefined) return problem;
      if (!path.isWellFormed()) return 'holds half a character';
      if (!isNormalized(path)) return 'has an empty, "." or ".." segment';
      return Buffer.byteLength(prefix + path) > MAX_KEY ? `is longer than ${MAX_KEY} bytes` : undefined;
    },
  };
}

/** A key as it stands in a list: `+` is a space there. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}

async function sha256(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  return hash.digest('hex');
}
