import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes an `mlruns` directory with the default experiment, and gives what registers a model there: version, stage and aliases of each. */
export async function newStore(store: string) {
  await mkdir(join(store, '0'), { recursive: true });
  await writeFile(
    join(store, '0/meta.yaml'),
    "artifact_location: file:///nowhere\ncreation_time: 1\nexperiment_id: '0'\nlast_update_time: 1\nlifecycle_stage: active\nname: Default\n",
  );
  /** Files of a registered model as MLflow writes them. */
  async function register(
    name: string,
    tags: Readonly<Record<string, string>>,
    versions: readonly string[][],
  ) {
    const home = join(store, 'models', name);
    const write = async (path: string, text: string) => {
      await mkdir(join(home, path, '..'), { recursive: true });
      await writeFile(join(home, path), text);
    };
    await write(
      'meta.yaml',
      `creation_timestamp: 1700000000000\ndescription: ${name} of all\nlast_updated_timestamp: 1700000001000\nname: ${name}\n`,
    );
    for (const [key, value] of Object.entries(tags)) await write(`tags/${key}`, value);
    for (const [version = '', stage = '', ...aliases] of versions) {
      await write(
        `version-${version}/meta.yaml`,
        `creation_timestamp: 1700000002000\ncurrent_stage: ${stage}\ndescription: null\nlast_updated_timestamp: 1700000003000\nname: ${name}\nrun_id: null\nrun_link: null\nsource: s3://bucket/${version}\nstatus: READY\nstatus_message: null\nstorage_location: s3://bucket/${version}\nuser_id: null\nversion: ${version}\n`,
      );
      await write(`version-${version}/tags/number`, version);
      for (const alias of aliases) await write(`aliases/${alias}`, version);
    }
  }

  return register;
}
