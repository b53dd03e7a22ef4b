import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Ids } from './id-map.ts';

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

/** Where an object stands: at its source or on the target. */
export interface ModelRoot {
  readonly id: string;
  readonly artifact_uri: string;
}

/** The file that makes a directory a model (mlflow/models/model.py). */
const MODEL_FILE = /(^|\/)MLmodel$/;
/** Larger ones are no model files of MLflow, and are left as they are. Bytes. */
const MOST_BYTES = 4 * 2 ** 20;

/**
 * The files of an object with the ids in its `MLmodel` files replaced by those of the target: the top-level lines `run_id`,
 * `model_id`, `model_uuid` and `artifact_path`, and nothing else. `target` is asked when a file is listed or opened.
 */
export function remapModelFiles<T extends Owner>(
  source: T,
  from: ModelRoot,
  target: () => ModelRoot,
  ids: Ids,
): T {
  const rewritten = async (entry: Entry): Promise<Buffer | undefined> => {
    if (!MODEL_FILE.test(entry.path) || (entry.size ?? 0) > MOST_BYTES) return undefined;
    const body = await source.open(entry);
    if (body === undefined) return undefined;
    const bytes = await readWhole(body);
    const text = bytes.toString('utf8');
    // What is no UTF-8 is no MLmodel file.
    if (!Buffer.from(text).equals(bytes)) return bytes;
    return Buffer.from(remapModelFile(text, from, target(), ids));
  };
  /** As the source lists them: what is handed out has the size and hash of the new bytes. */
  const listed = new Map<string, Entry>();
  return {
    ...source,
    async *artifacts() {
      for await (const entry of source.artifacts()) {
        if (MODEL_FILE.test(entry.path)) listed.set(entry.path, entry);
        const bytes = await rewritten(entry);
        if (bytes === undefined) yield entry;
        else
          yield {
            path: entry.path,
            size: bytes.length,
            ...(entry.sha256 === undefined
              ? {}
              : { sha256: createHash('sha256').update(bytes).digest('hex') }),
          };
      }
    },
    async open(entry: Entry) {
      const known = listed.get(entry.path) ?? entry;
      const bytes = await rewritten(known);
      return bytes === undefined ? source.open(known) : Readable.from([bytes], { objectMode: false });
    },
  };
}

async function readWhole(body: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const LINE = /^(run_id|model_id|model_uuid|artifact_path):([ \t]+)(.+?)([ \t]*\r?)$/gm;

/** The text of an `MLmodel` file in target ids. */
export function remapModelFile(text: string, from: ModelRoot, to: ModelRoot, ids: Ids): string {
  return text.replace(LINE, (line, key: string, space: string, value: string, end: string) => {
    const quote = /^(['"]).*\1$/.test(value) ? value.slice(0, 1) : '';
    const plain = quote === '' ? value : value.slice(1, -1);
    const mapped = mappedValue(key, plain);
    return mapped === plain ? line : `${key}:${space}${quote}${mapped}${quote}${end}`;
  });

  function mappedValue(key: string, value: string): string {
    if (key === 'run_id') return ids.of('run').get(value) ?? value;
    if (key !== 'artifact_path')
      return value === from.id ? to.id : (ids.of('logged_model').get(value) ?? value);
    const root = from.artifact_uri;
    const inside = root !== '' && (value === root || value.startsWith(`${root}/`));
    return inside ? to.artifact_uri + value.slice(root.length) : value;
  }
}
