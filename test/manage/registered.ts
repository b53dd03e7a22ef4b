import { z } from 'zod';
import { rest } from '../places/server/rest.ts';

const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const mapOf = (list: z.infer<typeof pairs>) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value] as const).sort());

const model = z.object({
  name: z.string(),
  description: z.string().default(''),
  tags: pairs,
  aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
});
const version = z.object({
  version: z.union([z.string(), z.number()]).transform(String),
  description: z.string().default(''),
  current_stage: z.string(),
  source: z.string(),
  run_id: z.string().default(''),
  run_link: z.string().default(''),
  tags: pairs,
});

/** A version to be made; `undefined` in a list: one that is deleted again. */
export interface NewVersion {
  readonly stage?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly aliases?: readonly string[];
  readonly description?: string;
  readonly run_id?: string;
}

/** Makes registered models on a real server and looks at them, by plain requests. */
export function registered(url: string) {
  const { call } = rest(url);
  const list = (map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([key, value]) => ({ key, value }));

  async function remove(path: string, body: object): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'DELETE', headers, body: JSON.stringify(body) };
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, init);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  return {
    async create(
      name: string,
      versions: ReadonlyArray<NewVersion | undefined>,
      tags: Readonly<Record<string, string>> = {},
    ): Promise<void> {
      const isPrompt = Object.hasOwn(tags, 'mlflow.prompt.is_prompt');
      const description = `${name} of all`;
      await call('registered-models/create', { name, description, tags: list(tags) });
      for (const [index, wanted] of versions.entries()) {
        const { stage, tags: own = {}, aliases = [], ...fields } = wanted ?? {};
        const body = {
          name,
          source: isPrompt ? 'dummy-source' : `s3://bucket/${name}/${index + 1}`,
          tags: list({ ...own, ...(isPrompt ? tags : {}) }),
          ...fields,
        };
        await call('model-versions/create', body);
        const number = String(index + 1);
        if (stage !== undefined)
          await call('model-versions/transition-stage', {
            name,
            version: number,
            stage,
            archive_existing_versions: false,
          });
        for (const alias of aliases) await call('registered-models/alias', { name, alias, version: number });
        if (wanted === undefined) await remove('model-versions/delete', { name, version: number });
      }
    },
    remove,
    /** A registered model with its versions as MLflow tells of it, without times; `undefined`: there is none. */
    async look(name: string) {
      const query = new URLSearchParams({ name });
      const answer = await call(`registered-models/get?${query}`).catch((error: unknown) => {
        if (String(error).includes('RESOURCE_DOES_NOT_EXIST')) return undefined;
        throw error;
      });
      if (answer === undefined) return undefined;
      const found = z.object({ registered_model: model }).parse(answer).registered_model;
      const versions = [];
      for (let number = 1; number <= 5; number++) {
        const one = new URLSearchParams({ name, version: String(number) });
        const got = await call(`model-versions/get?${one}`).catch(() => undefined);
        if (got === undefined) continue;
        const { tags, ...rest } = z.object({ model_version: version }).parse(got).model_version;
        versions.push({ ...rest, tags: mapOf(tags) });
      }
      return {
        description: found.description,
        tags: mapOf(found.tags),
        aliases: Object.fromEntries(
          found.aliases.map(({ alias, version: of }) => [alias, of] as const).sort(),
        ),
        versions,
      };
    },
  };
}
