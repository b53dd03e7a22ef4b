import { describe, expect, it } from 'vitest';
import { kindOf } from '../../src/kinds/kinds.ts';
import { REGISTERED_MODEL } from '../../src/kinds/model-registry.ts';
import { renameIn } from '../../src/kinds/rename-objects.ts';
import { LINKED_PROMPTS_TAG } from '../../src/model/mlflow/tags.ts';

const renaming = {
  of: REGISTERED_MODEL,
  names: new Map([
    ['churn', 'team/churn'],
    ['a.b', 'c'],
    ['a "b"', 'd'],
  ]),
};

const version = {
  kind: 'model_version',
  name: 'churn',
  version: '3',
  current_stage: 'None',
  source: 'models:/churn/2',
  status: 'READY',
  creation_timestamp: 1,
  last_updated_timestamp: 1,
  aliases: ['best'],
  tags: {
    see: 'models:/churn/1, models:/churn@best, models:/churned/1, models:/aXb/1 and models:/a.b/7/data; models:/churn',
    [LINKED_PROMPTS_TAG]: '[{"name": "a \\"b\\"", "version": "1"},{"name":"other","version":"churn"}]',
  },
};

describe('new names of registered models', () => {
  it('stand wherever the old ones did', () => {
    expect(renameIn(kindOf('model_version'), version, renaming)).toEqual({
      ...version,
      name: 'team/churn',
      source: 'models:/team/churn/2',
      tags: {
        see: 'models:/team/churn/1, models:/team/churn@best, models:/churned/1, models:/aXb/1 and models:/c/7/data; models:/churn',
        [LINKED_PROMPTS_TAG]: '[{"name": "d", "version": "1"},{"name":"other","version":"churn"}]',
      },
    });
  });

  it('leave ids of other kinds alone', () => {
    const scorer = {
      kind: 'scorer',
      experiment_id: 'churn',
      scorer_name: 'churn',
      scorer_version: '1',
      serialized_scorer: '{}',
      creation_time: 1,
    };
    expect(renameIn(kindOf('scorer'), scorer, renaming)).toEqual(scorer);
  });
});
