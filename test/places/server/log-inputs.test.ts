import pLimit from 'p-limit';
import { expect, it } from 'vitest';
import { logInputs } from '../../../src/places/server/write/log-inputs.ts';
import { targetRoutes } from '../../../src/places/server/write/target-routes.ts';
import { startServer } from '../../servers/start-server.ts';
import { connectTo } from './connect-to.ts';

it('two clients bring the same new datasets at once, and each run has them', async () => {
  await using server = await startServer();
  const client = await connectTo(server.url);
  const routes = targetRoutes(client, false);
  const { signal } = new AbortController();
  const experiment_id = await routes.createExperiment('shared datasets', {});
  const runIds = await Promise.all(
    Array.from({ length: 16 }, async (_, index) => {
      const run = { experiment_id, run_name: `run ${index}`, user_id: 'user', start_time: index, tags: {} };
      return (await routes.createRun(run)).run_id;
    }),
  );
  const limits = [pLimit(1), pLimit(1)] as const;
  for (const name of ['a', 'b', 'c', 'd']) {
    const input = { dataset: { name, digest: '1', source_type: 'local', source: 's' }, tags: { t: name } };
    await Promise.all(
      runIds.map((run_id, index) =>
        logInputs(
          { routes, signal, inputsLimit: limits[index % 2 === 0 ? 0 : 1], lacks: new Set() },
          run_id,
          [input],
        ),
      ),
    );
  }
  for (const run_id of runIds) {
    const { dataset_inputs } = await routes.getRun(run_id);
    expect(dataset_inputs.map(({ dataset }) => dataset.name).sort()).toEqual(['a', 'b', 'c', 'd']);
  }
  await client.close();
});
