import type { Ids } from './id-map.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { KINDS } from './kinds.ts';
import { idOf, mentionsOf, type Reference, referencesOf, remapMarks } from './marks.ts';

/**
 * A record of a further kind in target ids, by the marks of its schema: its own id, references, and ids that its texts
 * mention by URI. What is not on the target keeps its source id.
 */
export function remapObject(
  of: ObjectKind,
  source: ObjectRecord,
  own: { readonly id: string },
  ids: Ids,
): ObjectRecord {
  const ownId = idOf(of, source);
  const targetId = (kind: string, id: string) =>
    kind === of.kind && id === ownId ? own.id : (ids.of(kind).get(id) ?? id);
  return remapMarks(of, source, { id: targetId, text: (text) => remapMentions(text, targetId) });
}

/** A text with the ids in it replaced that stand in URIs of any kind. */
function remapMentions(text: string, targetId: (kind: string, id: string) => string): string {
  return KINDS.reduce(
    (done, { kind, mention }) =>
      mention === undefined
        ? done
        : done.replace(mention, (uri: string, id: string) => uri.slice(0, -id.length) + targetId(kind, id)),
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
