import { z } from 'zod';
import type { Explanation } from '../../places/place.ts';
import { count, place } from './parts.ts';
import { schemaOf } from './schema-of.ts';

/** What `--explain` prints. */
export const explanation = schemaOf<Explanation>()(
  z.strictObject({
    place,
    dialect: z.string().exactOptional(),
    pushed: z.string().exactOptional(),
    here: z.string().exactOptional(),
    histories: z.array(z.string()),
    order: z
      .strictObject({ columns: z.array(z.string()), pushed: z.boolean(), first: count })
      .exactOptional(),
    experiments: count.exactOptional(),
    searches: count.exactOptional(),
    refused: z.array(z.string()),
  }),
);
