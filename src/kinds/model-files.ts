import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { KnownIds } from './id-map.ts';
import { isUri, MODEL } from './model-links.ts';

/** A file of an object, as places list it. */
interface Entry {
  readonly path: string;
  readonly size?: number;
  readonly sha256?: string;
}

/** What has files; the interface of places (ArtifactOwner). */
interface Owner {
  artifacts(): AsyncIterable<Entry>;
  open(entry: Entry): Promise<Readable | undefined>;
}

/** A run or another object with files, at its source or on the target. */
export interface FileRoot {
  readonly kind: string;
  readonly id: string;
  readonly artifact_uri: string;
}

/** The file that makes a directory a model (mlflow/models/model.py). */
const MODEL_FILE = /(^|\/)MLmodel$/;

/** Whether a file has ids in it that are remapped on the way. */
export function isModelFile({ path, size = 0 }: Entry): boolean {
  return MODEL_FILE.test(path) && size <= MOST_BYTES;
}

/** Larger ones are no model files of MLflow, and are left as they are. Bytes. */
const MOST_BYTES = 4 * 2 ** 20;

/**
 * The files of an object with the ids in its `MLmodel` files replaced by those of the target: the top-level lines `run_id`,
 * `model_id`, `model_uuid` and `artifact_path`, and nothing else. Ids of other objects are those
 * known by then. `target` is asked when files are listed, and must be known then; what was not listed is opened as it is. A
 * file that cannot be read fails when it is opened.
 */
export function remapModelFiles<T extends Owner>(
  source: T,
  from: FileRoot,
  target: () => FileRoot,
  ids: KnownIds,
): T {
  /** By path, of the files that were listed. */
  const rewritten = new Map<string, Buffer>();
  const unreadable = new Map<string, unknown>();
  const rewrite = async (entry: Entry): Promise<Buffer | undefined> => {
    const body = await source.open(entry);
    if (body === undefined) return undefined;
    const bytes = await buffer(body);
    // What is no UTF-8 is no MLmodel file.
    return isUtf8(bytes) ? Buffer.from(remapModelFile(bytes.toString(), from, target(), ids)) : bytes;
  };
  return {
    ...source,
    async *artifacts() {
      for await (const entry of source.artifacts()) {
        const bytes = isModelFile(entry)
          ? await rewrite(entry).catch((error: unknown) => void unreadable.set(entry.path, error))
          : undefined;
        if (bytes === undefined) {
          yield entry;
          continue;
        }
        rewritten.set(entry.path, bytes);
        const { path } = entry;
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        yield { path, size: bytes.length, ...(entry.sha256 === undefined ? {} : { sha256 }) };
      }
    },
    async open(entry: Entry) {
      if (unreadable.has(entry.path)) throw unreadable.get(entry.path);
      const bytes = rewritten.get(entry.path);
      return bytes === undefined ? source.open(entry) : Readable.from([bytes], { objectMode: false });
    },
  };
}

const LINE = /^(run_id|model_id|model_uuid|artifact_path):([ \t]+)(.+?)([ \t]*\r?)$/gm;

/** The text of an `MLmodel` file in target ids. */
export function remapModelFile(text: string, from: FileRoot, to: FileRoot, ids: KnownIds): string {
  return text.replace(LINE, (line, key: string, space: string, value: string, end: string) => {
    const quote = /^(['"]).*\1$/.test(value) ? value.slice(0, 1) : '';
    const plain = quote === '' ? value : value.slice(1, -1);
    const mapped = mappedValue(key, plain);
    return mapped === plain ? line : `${key}:${space}${quote}${mapped}${quote}${end}`;
  });

  function mappedValue(key: string, value: string): string {
    if (key !== 'artifact_path') {
      const kind = key === 'run_id' ? 'run' : MODEL;
      if (kind === from.kind && value === from.id) return to.id;
      const known = ids.of(kind).get(value);
      return known === undefined || isUri(known) ? value : known;
    }
    const root = from.artifact_uri;
    const inside = root !== '' && (value === root || value.startsWith(`${root}/`));
    return inside ? to.artifact_uri + value.slice(root.length) : value;
  }
}

/** The text of an `MLmodel` file whose directory is at this path below the files of its run. */
export function setArtifactPath(text: string, path: string): string {
  return text.replace(
    /^artifact_path:.*?(\r?)$/m,
    (_, end: string) => `artifact_path: ${JSON.stringify(path)}${end}`,
  );
}
