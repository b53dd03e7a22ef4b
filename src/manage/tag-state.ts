import { ownValue, type StringMap } from '../model/string-map.ts';

/**
 * Whether tags are set as they should be, and those that should not be there are not. `emptied`: an empty one counts as not
 * there (MLflow before 3.0 cannot remove the tag of an experiment).
 */
export function hasTags(
  tags: StringMap,
  wanted: Readonly<Record<string, string | null>>,
  emptied = false,
): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    const present = ownValue(tags, key) ?? null;
    return present === value || (emptied && value === null && present === '');
  });
}

/** The values that these keys have now. */
export function tagsBefore(tags: StringMap, keys: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(keys.map((key) => [key, ownValue(tags, key) ?? null]));
}
