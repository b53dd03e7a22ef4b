import { expect, it } from 'vitest';
import { parseLocation } from '../../../src/places/location.ts';
import { connect } from '../../../src/places/server/connect/client.ts';
import { targetRoutes } from '../../../src/places/server/write/target-routes.ts';
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
  const place = parseLocation(fake.url.href);
  if (place.kind !== 'server') throw new Error('not a server');
  const client = await connect(place, options);
  expect(await targetRoutes(client, false).listArtifacts('1', '')).toEqual([
    { path: 'a', size: undefined },
    { path: 'b', size: 2 },
  ]);
  await client.close();
});
