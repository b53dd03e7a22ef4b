import { experiment, run } from '../model/records.ts';
import type { ObjectKind } from './kind.ts';

/**
 * Every kind of object that mlferry carries, in the order in which they are copied and stand in files: what an object
 * refers to comes before it. A further kind is a folder beside this file and one entry here; a place that can hold it
 * has a file for it, and every other place reports it as lost by itself.
 */
export const KINDS: readonly ObjectKind[] = [
  {
    kind: 'experiment',
    words: { one: 'experiment', many: 'experiments' },
    counted: 'experiments',
    since: 1,
    schema: experiment,
    name: 'name',
    artifacts: false,
  },
  {
    kind: 'run',
    words: { one: 'run', many: 'runs' },
    counted: 'runs',
    since: 1,
    schema: run,
    name: 'run_name',
    within: 'experiment',
    artifacts: true,
    mention: /\bruns:\/+([\w-]+)/g,
  },
];
