import { expect, it } from 'vitest';
import { connect } from '../../../src/places/server/connect/client.ts';
import { runOwner } from '../../../src/places/server/connect/owner.ts';
import { targetRoutes } from '../../../src/places/server/write/target-routes.ts';
import { serverAt } from '../locations.ts';
import { startFake } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

it('lists the files of the target over all pages, so that what arrived is seen', async () => {
  const fake = await startFake(({ path, query }) =>
    path.endsWith('/artifacts/list')
      ? query.get('page_token') === 'x'
        ? { json: { files: [{ path: 'b', is_dir: false, file_size: '2' }] } }
        : { json: { files: [{ path: 'a', is_dir: true }], next_page_token: 'x' } }
      : undefined,
  );
  const { options } = await placeOptions({});
  const client = await connect(serverAt(fake.url.href), options);
  expect(
    await targetRoutes(client, false).listArtifacts(runOwner({ run_id: '1', artifact_uri: '' }), ''),
  ).toEqual([
    { path: 'a', size: undefined },
    { path: 'b', size: 2 },
  ]);
  await client.close();
});
