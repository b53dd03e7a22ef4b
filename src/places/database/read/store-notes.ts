import { z } from 'zod';
import { asMlferryError } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { withoutRepeats } from '../../reading/without-repeats.ts';
import { type Store, unreadable } from './store.ts';

/** Where what is found goes: each finding once, however often something is read. */
export function storeNotes(
  options: Pick<PlaceOptions, 'findings'>,
): Pick<Store, 'note' | 'failure' | 'fail'> {
  const { loss, failure } = withoutRepeats(options.findings);
  return {
    note: loss,
    failure,
    fail(object, thrown, run_id) {
      const known = thrown instanceof z.ZodError ? unreadable(object, thrown) : asMlferryError(thrown);
      const { code, message, hint } = known;
      failure({ code, object, ...(run_id === undefined ? {} : { run_id }), message, hint });
    },
  };
}
