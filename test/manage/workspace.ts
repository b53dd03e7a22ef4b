import { z } from 'zod';
import { mapConcurrent } from '../../src/util/map-concurrent.ts';
import { rest } from '../places/server/rest.ts';

/** A run to be made; `parent` is the name of one made before. */
export interface NewRun {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly parent?: string;
  /** ms since the epoch. */
  readonly start?: number;
}

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const found = z.object({
  runs: z
    .array(
      z.object({
        info: z.object({ run_name: z.string(), run_id: z.string(), lifecycle_stage: z.string() }),
        data: z
          .object({ tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]) })
          .default({ tags: [] }),
      }),
    )
    .default([]),
  next_page_token: z.string().optional(),
});

let serial = 0;

/** Makes experiments and runs on a real server and looks at them, by plain requests. */
export function workspace(url: string) {
  const { call, ...more } = rest(url);
  /** Run ids by name. */
  const ids = new Map<string, string>();
  const id = (name: string) => {
    const run_id = ids.get(name);
    if (run_id === undefined) throw new Error(`no run ${name}`);
    return run_id;
  };

  return {
    call,
    id,
    ...more,
    /** Its id; the name is made unique. */
    async createExperiment(name: string): Promise<string> {
      serial += 1;
      const body = { name: `${name} ${process.pid} ${serial}` };
      return z.object({ experiment_id: z.string() }).parse(await call('experiments/create', body))
        .experiment_id;
    },
    async createRuns(experiment_id: string, runs: readonly NewRun[]): Promise<void> {
      await mapConcurrent(runs, 8, async ({ name, tags = {}, parent, start = 1_700_000_000_000 }) => {
        const all = { ...tags, ...(parent === undefined ? {} : { 'mlflow.parentRunId': id(parent) }) };
        const body = {
          experiment_id,
          run_name: name,
          start_time: start,
          tags: Object.entries(all).map(([key, value]) => ({ key, value })),
        };
        ids.set(name, created.parse(await call('runs/create', body)).run.info.run_id);
      });
    },
    deleteRun: (name: string) => call('runs/delete', { run_id: id(name) }),
    restoreRun: (name: string) => call('runs/restore', { run_id: id(name) }),
    /** Stage of every run of these experiments by its name; two runs of one name are an error. */
    async stages(...experiment_ids: string[]): Promise<Record<string, string>> {
      const stages = new Map<string, string>();
      let page_token: string | undefined;
      do {
        const body = { experiment_ids, run_view_type: 'ALL', max_results: 1000, page_token };
        const page = found.parse(await call('runs/search', body));
        for (const { info } of page.runs) {
          if (stages.has(info.run_name)) throw new Error(`two runs ${info.run_name}`);
          stages.set(info.run_name, info.lifecycle_stage);
        }
        page_token = page.next_page_token;
      } while (page_token);
      return Object.fromEntries([...stages].sort());
    },
    async tagsOf(name: string): Promise<Record<string, string>> {
      return (await more.run(id(name))).tags;
    },
  };
}
