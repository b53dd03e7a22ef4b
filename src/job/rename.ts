import type { Experiment } from '../model/records.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';

/** `from=to` of `--rename`, `from` a name or an id: each `*` of `to` takes what the `*` at the same place of `from` matched. */
export interface RenameRule {
  readonly from: string;
  readonly to: string;
}

/** Parses `from=to` of an option. A literal `=` in a name is not possible; throws USAGE. */
export function parseRename(text: string, option = '--rename'): RenameRule {
  const [from, to, ...more] = text.split('=');
  if (from === undefined || from === '' || to === undefined || to === '' || more.length > 0) {
    throw new MlferryError('USAGE', `${option} "${text}" is not of the form from=to`);
  }
  if (to.split('*').length > from.split('*').length) {
    throw new MlferryError('USAGE', `${option} "${text}": the right side has more * than the left`);
  }
  return { from, to };
}

/** The name of an experiment on the target: by the rule with its id, else by the first that matches, else its own. */
export function renamed(
  { experiment_id, name }: Pick<Experiment, 'experiment_id' | 'name'>,
  rules: readonly RenameRule[],
): string {
  const byId = rules.find(({ from }) => from === experiment_id);
  return byId !== undefined ? byId.to : renamedText(name, rules);
}

/** A name by the first rule that matches it, else as it is. */
export function renamedText(name: string, rules: readonly RenameRule[]): string {
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

/** A rule that renames nothing is a mistake, and its object would go where it should not. Throws USAGE. */
export function mustFit(
  option: string,
  rules: readonly RenameRule[],
  names: readonly string[],
  nobody: string,
  hint = 'mlferry inspect shows what there is.',
): void {
  for (const rule of rules) {
    if (names.some((name) => renamedText(name, [{ ...rule, to: '' }]) === '')) continue;
    const near = nearest(rule.from, names);
    throw new MlferryError('USAGE', `${option}: ${nobody} is named ${JSON.stringify(rule.from)}`, {
      hint: near === undefined ? hint : `Did you mean ${JSON.stringify(near)}?`,
    });
  }
}
