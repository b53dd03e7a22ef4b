import { z } from 'zod';
import type { ObjectKind } from '../../src/kinds/kind.ts';
import { stringMap } from '../../src/model/string-map.ts';

/** A kind for tests, of a format version of its own: it lives in an experiment, refers to runs, and has tags and files. */
export const note: ObjectKind = {
  kind: 'note',
  words: { one: 'note', many: 'notes' },
  counted: 'notes',
  since: 5,
  schema: z.strictObject({
    kind: z.literal('note'),
    note_id: z.string().min(1).meta({ identifies: 'note' }),
    experiment_id: z.string().min(1).meta({ references: 'experiment' }),
    title: z.string(),
    about_runs: z.array(z.string().meta({ references: 'run' })),
    tags: stringMap.meta({ mentions: true }),
  }),
  name: 'title',
  within: 'experiment',
  artifacts: true,
};
