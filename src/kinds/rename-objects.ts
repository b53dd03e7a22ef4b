import { LINKED_PROMPTS_TAG } from '../model/mlflow/tags.ts';
import { type StringMap, stringMap } from '../model/string-map.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { remapMarks } from './marks.ts';

/** New names of the objects of one kind, whose ids are names that people choose. */
export interface NewNames {
  readonly of: ObjectKind;
  /** Name → new name, of those that get another one. */
  readonly names: ReadonlyMap<string, string>;
}

/** A record of any kind with the new names wherever it has or mentions an old one: ids, references, URIs, links to prompts. */
export function renameIn(of: ObjectKind, record: ObjectRecord, renaming: NewNames): ObjectRecord {
  const tags = stringMap.safeParse(record.tags);
  const linked = tags.success ? { ...record, tags: withLinkedPrompts(tags.data, renaming) } : record;
  const text = (value: string) => renameInText(value, renaming);
  return remapMarks(of, linked, {
    id: (kind, id) => (kind === renaming.of.kind ? (renaming.names.get(id) ?? id) : id),
    text,
    location: text,
  });
}

/** A text with the new names in the URIs that name a registered model: `models:/name/3`, `models:/name@alias`. */
function renameInText(text: string, { names }: NewNames): string {
  if (!text.includes('models:')) return text;
  const escaped = [...names.keys()].map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const uri = new RegExp(`\\b(models:/+)(${escaped.join('|')})(?=[/@])`, 'g');
  return text.replace(uri, (_, scheme: string, name: string) => scheme + (names.get(name) ?? name));
}

/** MLflow's list of the prompts that a run or trace used: JSON, `[{"name": "greeting", "version": "1"}]`; all but the names stays as written. */
function withLinkedPrompts(tags: StringMap, { names }: NewNames): StringMap {
  const linked = Object.entries(tags).map(([key, value]) => {
    if (key !== LINKED_PROMPTS_TAG) return [key, value];
    const renamed = value.replace(
      /("name"\s*:\s*)("(?:[^"\\]|\\.)*")/g,
      (whole, before: string, json: string) => {
        const name = names.get(textOf(json) ?? '');
        return name === undefined ? whole : before + JSON.stringify(name);
      },
    );
    return [key, renamed];
  });
  return Object.fromEntries(linked);
}

function textOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
