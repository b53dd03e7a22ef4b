import { type FileHandle, open } from 'node:fs/promises';
import { toJson } from '../../../model/json.ts';
import type { Points } from '../../../model/points.ts';
import { pointsToJson } from '../../../model/points-json.ts';
import type { DatasetInput } from '../../../model/records.ts';

/**
 * Collects what a store cannot hold of a run, for the run's artifact {@link OVERSIZE_FILE}: the same fields as a
 * server's (src/model/limits.ts), and `metrics`, key → points.
 */
export interface OversizeFile {
  readonly isEmpty: boolean;
  name(field: 'run_name' | 'user_id', value: string): void;
  value(kind: 'params' | 'tags', key: string, value: string): void;
  input(input: DatasetInput): void;
  points(key: string, points: Points): Promise<void>;
  /** Completes the file; its size in bytes. */
  close(): Promise<number>;
  /** Closes the file when an error left it open. */
  abandon(): Promise<void>;
}

/** Series go straight to the file at `path`, which is made when it is needed; without a path nothing is written. */
export function createOversizeFile(path: string | undefined): OversizeFile {
  const names: [string, string][] = [];
  const params: [string, string][] = [];
  const tags: [string, string][] = [];
  const inputs: DatasetInput[] = [];
  let handle: FileHandle | undefined;
  let bytes = 0;
  let metric: string | undefined;

  const write = async (text: string) => {
    bytes += Buffer.byteLength(text);
    if (path === undefined) return;
    handle ??= await open(path, 'wx');
    await handle.writeFile(text);
  };

  return {
    get isEmpty() {
      return names.length + params.length + tags.length + inputs.length === 0 && metric === undefined;
    },
    name(field, value) {
      names.push([field, value]);
    },
    value(kind, key, value) {
      (kind === 'params' ? params : tags).push([key, value]);
    },
    input(input) {
      inputs.push(input);
    },
    async points(key, points) {
      const start = metric === undefined ? '{"metrics":{' : metric === key ? ',' : '],';
      const head = metric === key ? '' : `${toJson(key)}:[`;
      metric = key;
      await write(start + head + Buffer.from(pointsToJson(points)).toString('latin1', 1).slice(0, -1));
    },
    async close() {
      const rest = {
        ...Object.fromEntries(names),
        params: Object.fromEntries(params),
        tags: Object.fromEntries(tags),
        dataset_inputs: inputs,
      };
      const start = metric === undefined ? '{"metrics":{}' : ']}';
      await write(`${start},${toJson(rest).slice(1)}\n`);
      await handle?.sync();
      await this.abandon();
      return bytes;
    },
    async abandon() {
      await handle?.close();
      handle = undefined;
    },
  };
}
