import type { ModelVersion } from '../../model/registered-model.ts';
import { globMatcher } from '../../model/selection.ts';
import { nearest } from '../../util/nearest.ts';

/** Which versions of a registered model a pattern means, among all that it has. */
export type Wanted = (version: ModelVersion, all: readonly ModelVersion[]) => boolean;

/** What a pattern fits. */
export interface RegisteredMatch {
  /** Names of registered models. */
  readonly found: readonly string[];
  /** Which of their versions; `undefined` where the pattern names registered models as a whole. */
  readonly wanted: Wanted | undefined;
}

/** What a pattern (`NAME`, `NAME@alias`, `NAME/3`, `NAME/latest`, each name a glob) fits. A name may itself hold `@` and `/`. */
export function matchRegistered(pattern: string, names: Iterable<string>): RegisteredMatch {
  const all = [...names];
  const like = (glob: string) => all.filter(globMatcher(glob));
  const whole = like(pattern);
  if (whole.length > 0) return { wanted: undefined, found: whole };
  const [, ofAlias, alias] = /^(.+)@([^@/]+)$/.exec(pattern) ?? [];
  if (ofAlias !== undefined && alias !== undefined)
    return { wanted: ({ aliases }) => aliases.includes(alias), found: like(ofAlias) };
  const [, ofNumber, number] = /^(.+)\/(latest|\d+)$/.exec(pattern) ?? [];
  if (ofNumber === undefined) return { wanted: undefined, found: [] };
  let known: { readonly own: readonly ModelVersion[]; readonly latest: number } | undefined;
  const latest = (own: readonly ModelVersion[]) => {
    if (known?.own !== own)
      known = { own, latest: own.reduce((most, { version }) => Math.max(most, Number(version)), 0) };
    return known.latest;
  };
  return {
    wanted: ({ version }, own) =>
      number === 'latest' ? Number(version) === latest(own) : version === number,
    found: like(ofNumber),
  };
}

/** Why a pattern that fits these names chooses nothing. */
export function whyNothing(pattern: string, found: readonly string[], names: Iterable<string>): string {
  if (found.length === 1) return `${JSON.stringify(found[0])} has no such version`;
  if (found.length > 1) return `none of ${found.length} registered models has such a version`;
  const near = nearest(pattern, names);
  return `there is no such registered model${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
}
