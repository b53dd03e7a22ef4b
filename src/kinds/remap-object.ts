import { stringMap } from '../model/string-map.ts';
import type { Ids } from './id-map.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { KINDS } from './kinds.ts';
import { idOf, mentionsOf, type Reference, referencesOf, remapMarks, withoutUnbound } from './marks.ts';
import { uriOf } from './model-links.ts';
import { remapIdLists } from './remap-id-lists.ts';

/**
 * A record of a further kind in target ids, by the marks of its schema: its own id, references, and ids that its texts
 * mention by URI. What is not on the target keeps its source id; what is bound to it is left out, see {@link boundTo}.
 */
export function remapObject(
  of: ObjectKind,
  source: ObjectRecord,
  own: { readonly id: string },
  ids: Ids,
): ObjectRecord {
  const { record } = boundTo(of, source, ids);
  const ownId = idOf(of, source);
  const targetId = (kind: string, id: string) =>
    kind === of.kind && id === ownId ? own.id : (ids.of(kind).get(id) ?? id);
  const tags = stringMap.safeParse(record.tags);
  const listed = tags.success ? { ...record, tags: remapIdLists(tags.data, targetId) } : record;
  return remapMarks(of, listed, {
    id: targetId,
    text: (text) => remapMentions(text, targetId),
    location: (uri) => locate(uri, (kind, id) => ids.of(kind).has(id)),
  });
}

/** A root that MLflow gives runs (`…/<run_id>/artifacts`) and logged models (`…/models/<model_id>/artifacts`). */
const OWN_ROOT = /^(?!runs:|models:).*?\/(?:models\/(m-[\w-]+)|([0-9a-f]{32}))\/artifacts(?:\/(.*?))?\/?$/;

/** The URI of files below the root of a run or logged model, as one that names it: `runs:/…`, `models:/m-…`. */
export function locate(uri: string, has: (kind: string, id: string) => boolean): string {
  const [, model_id, run_id, path = ''] = OWN_ROOT.exec(uri) ?? [];
  if (model_id !== undefined && path === '' && has('logged_model', model_id)) return `models:/${model_id}`;
  if (run_id !== undefined && has('run', run_id)) return `runs:/${run_id}${path === '' ? '' : `/${path}`}`;
  return uri;
}

/** A record without what cannot be without an object that is not on the target, and which those objects are. */
export function boundTo(
  of: ObjectKind,
  source: ObjectRecord,
  ids: Ids,
): { readonly record: ObjectRecord; readonly left: readonly Reference[] } {
  return withoutUnbound(of, source, (kind, id) => ids.of(kind).has(id));
}

/** A text with the ids in it replaced that stand in URIs of any kind. */
function remapMentions(text: string, targetId: (kind: string, id: string) => string): string {
  return KINDS.reduce(
    (done, { kind, mention }) =>
      mention === undefined
        ? done
        : done.replace(mention, (uri: string, id: string) => uriOf(uri, id, targetId(kind, id))),
    text,
  );
}

/** Every other object that a record names, in marked fields and in its texts. */
export function allReferencesOf(of: ObjectKind, record: ObjectRecord): Reference[] {
  const mentioned = mentionsOf(of, record).flatMap((text) =>
    KINDS.flatMap(({ kind, mention }) =>
      mention === undefined ? [] : [...text.matchAll(mention)].map(([, id = '']) => ({ kind, id })),
    ),
  );
  const ownId = idOf(of, record);
  return [...referencesOf(of, record), ...mentioned].filter(
    ({ kind, id }) => !(kind === of.kind && id === ownId),
  );
}
