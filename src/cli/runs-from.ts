import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { z } from 'zod';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';

/** What of mlferry's own output names runs: rows of a list, of an id map or an undo file, and reports. */
const naming = z.looseObject({
  kind: z.string().optional(),
  run_id: z.string().optional(),
  source_id: z.string().optional(),
  /** Of a report: the runs that failed. */
  failures: z
    .array(
      z.looseObject({
        run_id: z.string().optional(),
        of: z.looseObject({ kind: z.string(), id: z.string() }).optional(),
      }),
    )
    .optional(),
  /** Of a verification: what is not the same. */
  items: z.array(z.looseObject({ kind: z.string(), id: z.string(), symbol: z.string() })).optional(),
  verification: z.looseObject({ items: z.array(z.unknown()).optional() }).optional(),
  /** Of a report: why it stopped, and how much more there is. */
  error: z.unknown().optional(),
  unlisted: z.number().optional(),
});

/** `--runs-from`: puts the ids that the files hold to those of `--run`. Throws USAGE where that is none: it would mean all runs. */
export async function takeRunsFrom(command: Command, io: Io): Promise<void> {
  const options = z
    .object({ runsFrom: z.array(z.string()), run: z.array(z.string()) })
    .safeParse(command.opts());
  if (!options.success || options.data.runsFrom.length === 0) return;
  const { runsFrom, run } = options.data;
  if (runsFrom.includes('-') && command.args.includes('-'))
    throw new MlferryError('USAGE', '--runs-from - and a place that is stdin exclude each other');
  const ids = new Set(run);
  for (const file of runsFrom) {
    const found = runIdsIn(await contentOf(file, io), file);
    if (found.length === 0)
      throw new MlferryError('USAGE', `--runs-from: ${nameOf(file)} names no run`, {
        hint: 'Of a report, the runs that failed or differ are taken: there may be none.',
      });
    for (const id of found) ids.add(id);
  }
  command.setOptionValue('run', [...ids]);
}

const nameOf = (file: string) => (file === '-' ? 'stdin' : file);

async function contentOf(file: string, io: Io): Promise<string> {
  try {
    return file === '-' ? await text(io.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `--runs-from: ${nameOf(file)} cannot be read`);
  }
}

/**
 * The run ids in a text: one a line (`#` begins a comment), or what mlferry writes: `runs list --json` and `--ndjson`, an id map
 * (the ids of the source), an undo file, a report (the runs that failed, or that are not the same). Throws USAGE naming the line.
 */
export function runIdsIn(content: string, file: string): string[] {
  const whole = parsed(content);
  if (whole !== undefined) return (Array.isArray(whole) ? whole : [whole]).flatMap(idsOf);
  return content.split('\n').flatMap((line, index) => {
    const word = line.trim();
    if (word === '' || word.startsWith('#')) return [];
    if (/^[\w-]+$/.test(word)) return [word];
    const value = parsed(word);
    if (value !== undefined) return idsOf(value);
    throw new MlferryError('USAGE', `--runs-from: ${nameOf(file)}, line ${index + 1} is no run id`);
  });
}

/** Of a JSON object, array or text; a number may be an id. */
function parsed(content: string): unknown {
  if (!/^\s*[[{"]/.test(content)) return undefined;
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

function idsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  const row = naming.safeParse(value).data;
  if (row === undefined) return [];
  const { kind = 'run', run_id, source_id, failures, items, verification } = row;
  if (failures === undefined && items === undefined)
    return kind === 'run' ? [source_id ?? run_id ?? []].flat() : [];
  if (row.error !== undefined || (row.unlisted ?? 0) > 0) {
    const why = row.error !== undefined ? 'is of a job that stopped' : 'does not list all that it counts';
    throw new MlferryError(
      'USAGE',
      `--runs-from: the report ${why}: it does not name all runs that are missing`,
      {
        hint: 'Run the same command again without --runs-from: it goes on where it stopped.',
      },
    );
  }
  const failed = (failures ?? []).flatMap(({ run_id: id, of }) => (of?.kind === 'run' ? of.id : (id ?? [])));
  // Of a run that only the target has the source has none.
  const different = (items ?? []).flatMap((item) =>
    item.kind === 'run' && item.id !== '' && !['=', '-'].includes(item.symbol) ? [item.id] : [],
  );
  return [
    ...failed,
    ...different,
    ...(verification === undefined ? [] : idsOf({ items: [], ...verification })),
  ];
}
