import type { Experiment } from '../model/records.ts';
import { MlferryError } from '../util/errors.ts';

/** `from=to` of `--rename`, `from` a name or an id: each `*` of `to` takes what the `*` at the same place of `from` matched. */
export interface RenameRule {
  readonly from: string;
  readonly to: string;
}

/** Parses `from=to`. A literal `=` in a name is not possible; throws USAGE. */
export function parseRename(text: string): RenameRule {
  const [from, to, ...more] = text.split('=');
  if (from === undefined || from === '' || to === undefined || to === '' || more.length > 0) {
    throw new MlferryError('USAGE', `--rename "${text}" is not of the form from=to`);
  }
  if (to.split('*').length > from.split('*').length) {
    throw new MlferryError('USAGE', `--rename "${text}": the right side has more * than the left`);
  }
  return { from, to };
}

/** The name of an experiment on the target: by the rule with its id, else by the first that matches, else its own. */
export function renamed(
  { experiment_id, name }: Pick<Experiment, 'experiment_id' | 'name'>,
  rules: readonly RenameRule[],
): string {
  const byId = rules.find(({ from }) => from === experiment_id);
  if (byId !== undefined) return byId.to;
  for (const { from, to } of rules) {
    const pattern = from
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('(.*)');
    const match = new RegExp(`^${pattern}$`, 's').exec(name);
    if (match === null) continue;
    let star = 0;
    return to.replace(/\*/g, () => {
      star += 1;
      return match[star] ?? '';
    });
  }
  return name;
}
