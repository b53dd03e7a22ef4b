import { z } from 'zod';
import { writeCsv } from '../manage/csv.ts';
import { CSV_LAYOUTS } from '../manage/csv-layout-names.ts';
import { systemCode } from '../util/errors.ts';
import { printable } from '../util/plain-text.ts';
import { endWithFailures } from './end-with-failures.ts';
import type { Io } from './io.ts';
import { choiceOf, placeOf } from './manage-values.ts';

const csvOptions = z.object({
  layout: z.enum(CSV_LAYOUTS),
  history: z.boolean().default(false),
  excelSafe: z.boolean().default(false),
});

/** What `mlferry runs csv` does. */
export async function runCsv(place: string, values: unknown, io: Io): Promise<void> {
  const options = {
    ...csvOptions.parse(values),
    ...choiceOf(values),
    ...placeOf(values, io),
    stdin: io.stdin,
  };
  try {
    const { failures, repeated_keys } = await writeCsv(place, io.stdout, options);
    if (repeated_keys.length > 0)
      io.stderr.write(`note: in the head more than once: ${printable(repeated_keys.join(', '))}\n`);
    endWithFailures(failures, io);
  } catch (error) {
    // Whoever reads it had enough.
    if (systemCode(error) !== 'EPIPE') throw error;
  }
}
