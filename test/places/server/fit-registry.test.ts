import { expect, it } from 'vitest';
import { modelVersion } from '../../../src/model/registered-model.ts';
import { representVersion } from '../../../src/places/server/write/fit-registry.ts';

const version = (fields: object) =>
  modelVersion.parse({
    ...{ kind: 'model_version', name: 'm', version: '1', status: 'READY', tags: {}, aliases: [] },
    ...{ creation_timestamp: 1, last_updated_timestamp: 1, current_stage: 'None' },
    ...fields,
  });

it('finds the logged model of a version in its source where a server has no other place for it', () => {
  const wanted = version({ model_id: 'm-1', source: 'models:/m-1' });
  const { model_id: _, ...told } = wanted;
  expect(representVersion(wanted, told)).toEqual({ record: told, losses: [] });
  expect(representVersion(wanted, wanted).record).toEqual(wanted);
  const other = version({ source: 'models:/m-2' });
  expect(representVersion(wanted, other).record).toMatchObject({ model_id: 'm-1', source: 'models:/m-1' });
});
