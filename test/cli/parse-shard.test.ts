import { describe, expect, it } from 'vitest';
import { parseShard } from '../../src/cli/parse-shard.ts';

describe('--shard', () => {
  it.each([
    ['2/8', {}, { index: 2, count: 8 }],
    ['auto', { JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '3' }, { index: 1, count: 3 }],
    [
      'auto',
      { SLURM_ARRAY_TASK_ID: '8', SLURM_ARRAY_TASK_COUNT: '8', SLURM_ARRAY_TASK_MIN: '1' },
      { index: 8, count: 8 },
    ],
    [
      'auto',
      { SLURM_ARRAY_TASK_ID: '0', SLURM_ARRAY_TASK_COUNT: '8', SLURM_ARRAY_TASK_MIN: '0' },
      { index: 1, count: 8 },
    ],
    ['auto', { AWS_BATCH_JOB_ARRAY_INDEX: '4', AWS_BATCH_JOB_ARRAY_SIZE: '5' }, { index: 5, count: 5 }],
  ])('%s of %j', (text, environment, shard) => {
    expect(parseShard(text, environment)).toEqual(shard);
  });

  it.each([
    ['0/8', {}],
    ['9/8', {}],
    ['1', {}],
    ['1/0', {}],
    ['auto', {}],
    ['auto', { JOB_COMPLETION_INDEX: '1' }],
    ['auto', { JOB_COMPLETION_INDEX: 'x', JOB_COMPLETIONS: '3' }],
    ['auto', { SLURM_ARRAY_TASK_ID: '9', SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '1' }],
  ])('%s of %j is refused', (text, environment) => {
    expect(() => parseShard(text, environment)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
