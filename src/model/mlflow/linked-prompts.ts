import { z } from 'zod';
import { ownValue, type StringMap } from '../string-map.ts';
import { LINKED_PROMPTS_TAG } from './tags.ts';

/** A version of a prompt that a trace or run used. */
const link = z.object({ name: z.string().min(1), version: z.string().regex(/^\d{1,9}$/) });
type PromptLink = z.infer<typeof link>;

/** The links to prompts that tags tell: JSON, `[{"name": "greeting", "version": "1"}]`; none where it is something else. */
export function linkedPrompts(tags: StringMap): PromptLink[] {
  return entriesOf(tags)?.flatMap((entry) => link.safeParse(entry).data ?? []) ?? [];
}

/** Tags that tell these links too, as MLflow's own client writes them (mlflow/tracing/utils/prompt.py). */
export function withLinkedPrompts(tags: StringMap, links: readonly PromptLink[]): StringMap {
  const entries = entriesOf(tags);
  const told = linkedPrompts(tags);
  const lacking = links.filter(
    ({ name, version }) => !told.some((other) => other.name === name && other.version === version),
  );
  if (lacking.length === 0 || entries === undefined) return tags;
  const before = ownValue(tags, LINKED_PROMPTS_TAG)?.trim().slice(1, -1).trim() ?? '';
  const added = lacking.map(
    ({ name, version }) => `{"name": ${JSON.stringify(name)}, "version": ${JSON.stringify(version)}}`,
  );
  return {
    ...tags,
    [LINKED_PROMPTS_TAG]: `[${[before, ...added].filter((text) => text !== '').join(', ')}]`,
  };
}

/** The entries of the list; `undefined`: the tag is none. */
function entriesOf(tags: StringMap): unknown[] | undefined {
  const text = ownValue(tags, LINKED_PROMPTS_TAG);
  if (text === undefined) return [];
  try {
    return z.array(z.unknown()).safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
