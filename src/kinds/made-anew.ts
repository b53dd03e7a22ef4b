import { isDeepStrictEqual } from 'node:util';
import type { Loss } from '../model/findings.ts';
import { toJson } from '../model/json.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { idOf, marksOf, nameOf } from './marks.ts';

/** Objects that people make anew (`madeAnew` in the table). */

/** The one that is the same but for what its place gave it: somebody has made it. */
export function findMadeAnew(
  of: ObjectKind,
  record: ObjectRecord,
  present: readonly ObjectRecord[],
): ObjectRecord | undefined {
  const wanted = ownFields(of, record);
  return present.find((other) => isDeepStrictEqual(ownFields(of, other), wanted));
}

/** What has to be done by hand, with all that is known of the object. */
export function toMakeAnew(of: ObjectKind, record: ObjectRecord): Loss {
  return {
    code: 'MAKE_ANEW',
    of: { kind: of.kind, id: idOf(of, record), name: nameOf(of, record) },
    detail: `nobody is told its secrets, so it has to be made anew: ${toJson(ownFields(of, record))}`,
  };
}

/** What a file has of it, or a look at a place: all but its secrets. */
export function withoutSecrets(of: ObjectKind, record: ObjectRecord): Loss {
  return {
    ...toMakeAnew(of, record),
    left_behind: false,
    detail: 'nobody is told its secrets: on a server it has to be made anew',
  };
}

/** A record without its id and times. */
function ownFields(of: ObjectKind, record: ObjectRecord): Readonly<Record<string, unknown>> {
  const places = marksOf(of.schema).flatMap(({ identifies, placed, path }) =>
    identifies !== undefined || placed === true ? path : [],
  );
  const entries = Object.entries(record).filter(([key]) => key !== 'kind' && !places.includes(key));
  return Object.fromEntries(entries);
}
