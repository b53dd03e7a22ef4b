import { copyBetween } from '../copy/copy-between.ts';
import type { TwoPlaceOptions } from '../job/job-options.ts';
import { type FoundObject, isContent, type Loss } from '../model/findings.ts';
import { MlferryError } from '../util/errors.ts';
import { verify } from '../verify/verify.ts';

/** Runs that are compared with their copies at once: of all a verdict is kept. */
const CHUNK = 1000;

/** What is copied where, within one place. */
export interface CopyWithin extends TwoPlaceOptions {
  readonly runs: readonly string[];
  /** Name of the experiment. */
  readonly into: string;
  /** Runs that stay and that those name. */
  readonly held: readonly string[];
  readonly stateDir?: string | undefined;
  readonly onCopied?: ((runs: number) => void) | undefined;
}

/** What became of the copies. */
export interface VerifiedCopies {
  /** Runs whose copy is there and has all that they have. */
  readonly same: ReadonlySet<string>;
  /** Why the copies of others are not the same, by run. */
  readonly problems: ReadonlyMap<string, string>;
  /** The same of objects of further kinds. */
  readonly objectProblems: ReadonlyArray<{ readonly of: FoundObject; readonly problem: string }>;
  /** What the copies have other than the runs, although they have all: losses of form, each once. */
  readonly losses: readonly Loss[];
}

/**
 * Copies runs into an experiment of the same place and compares each with its copy, point by point and byte by byte. Only what
 * was found to be the same counts. Throws what stops the copy or the comparison.
 */
export async function copyVerified(place: string, options: CopyWithin): Promise<VerifiedCopies> {
  const { runs, onCopied, stateDir, ...shared } = options;
  const selection = { experiments: [], runs, view: 'active' as const };
  const problems = new Map<string, string>();
  const objectProblems: Array<{ of: FoundObject; problem: string }> = [];
  const losses = new Map<string, Loss>();
  // The copy that is there already tells nothing of them again, the comparison does.
  const noteLoss = (loss: Loss) => {
    if (isContent(loss)) note(loss.of, loss.run_id, loss.detail);
    const { code, run_id, of, key } = loss;
    const name = JSON.stringify([code, run_id, of?.kind, of?.id, key]);
    if (!isContent(loss) && !losses.has(name)) losses.set(name, loss);
  };
  const note = (of: FoundObject | undefined, run_id: string | undefined, problem: string) => {
    const id = (of?.id ?? run_id) || undefined;
    if (of !== undefined && of.kind !== 'run') objectProblems.push({ of, problem });
    else if (id !== undefined) problems.set(id, problem);
    // What is nobody's own may be any run's.
    else for (const run of runs) if (!problems.has(run)) problems.set(run, problem);
  };
  const { report } = await copyBetween(place, place, {
    ...shared,
    selection,
    stateDir,
    onProgress: ({ runs: counts }) => onCopied?.(counts.done),
  });
  if (report.error !== undefined) throw ended(report.error);
  if (report.unlisted > 0)
    note(
      undefined,
      undefined,
      `${report.unlisted} losses and failures are counted, but not listed: move fewer runs at once`,
    );
  for (const { of, run_id, message } of report.failures) note(of, run_id, message);
  for (const loss of report.losses) noteLoss(loss);
  const same = new Set<string>();
  for (let at = 0; at < runs.length; at += CHUNK) {
    const chunk = runs.slice(at, at + CHUNK);
    // What the copy reported excuses nothing: the original goes.
    const compared = await verify(place, place, {
      ...shared,
      selection: { ...selection, runs: chunk },
    });
    if (compared.error !== undefined) throw ended(compared.error);
    for (const { kind, id, name, symbol, differences, reason } of compared.items) {
      const [first] = differences;
      const problem = reason ?? (first === undefined ? 'it is not there' : `${first.field} is another`);
      if (symbol !== '=') note({ kind, id, name }, undefined, `Its copy is not the same: ${problem}`);
    }
    for (const loss of compared.losses) noteLoss(loss);
    // What only the experiment has (`-`), an earlier copy that was deleted, is none of the chosen.
    const differing = compared.items.filter(
      ({ kind, symbol }) => kind === 'run' && symbol !== '=' && symbol !== '-',
    ).length;
    if (compared.unlisted > 0 || compared.runs.same !== chunk.length - differing)
      note(undefined, undefined, 'Not all that was compared could be listed: move fewer runs at once');
    for (const id of chunk) same.add(id);
  }
  for (const id of problems.keys()) same.delete(id);
  return { same, problems, objectProblems, losses: [...losses.values()] };
}

function ended({
  code,
  message,
  hint,
}: NonNullable<Awaited<ReturnType<typeof verify>>['error']>): MlferryError {
  return new MlferryError(code, message, { hint });
}
