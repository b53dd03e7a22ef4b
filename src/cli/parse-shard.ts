import type { Shard } from '../job/shard.ts';
import { MlferryError } from '../util/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What arrays of jobs tell a job about itself: its number, how many there are, and the number of the first (Kubernetes Indexed Jobs do not tell
 * how many: the manifest sets `JOB_COMPLETIONS`).
 */
const ARRAYS = [
  { index: 'JOB_COMPLETION_INDEX', count: 'JOB_COMPLETIONS', first: undefined },
  { index: 'SLURM_ARRAY_TASK_ID', count: 'SLURM_ARRAY_TASK_COUNT', first: 'SLURM_ARRAY_TASK_MIN' },
  { index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE', first: undefined },
] as const;

/** The shard that `2/8` or `auto` means. Throws USAGE. */
export function parseShard(text: string, environment: Environment): Shard {
  if (text === 'auto') return ownShard(environment);
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  return checked(Number(index), Number(count), `--shard ${JSON.stringify(text)}`);
}

function ownShard(environment: Environment): Shard {
  const array = ARRAYS.find(({ index }) => (environment[index] ?? '') !== '');
  if (array === undefined)
    throw new MlferryError('USAGE', '--shard auto: this is no job of an array', {
      hint: `It looks for ${ARRAYS.map(({ index }) => index).join(', ')}; --shard 2/8 says it.`,
    });
  const { index, count, first } = array;
  const of = (name: string | undefined) => (name === undefined ? 0 : whole(environment[name] ?? '0'));
  return checked(of(index) - of(first) + 1, of(count), `--shard auto: ${index} and ${count}`);
}

const whole = (text: string) => (/^\d{1,6}$/.test(text) ? Number(text) : Number.NaN);

function checked(index: number, count: number, what: string): Shard {
  if (index >= 1 && index <= count) return { index, count };
  throw new MlferryError('USAGE', `${what}: there is no such shard`, {
    hint: 'Shards are 1/8 to 8/8; jobs of an array have to be numbered without gaps, and to know how many they are.',
  });
}
