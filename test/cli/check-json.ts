import { z } from 'zod';
import { REPORTS } from '../../src/cli/json/reports.ts';

const GROUPS = ['artifacts', 'runs', 'experiments', 'jobs', 'models', 'place'];

/** The schema of what a command line prints with `--json`. */
function schemaOf(args: readonly string[], isFailure: boolean): z.ZodType | undefined {
  if (isFailure) return REPORTS.failure?.schema;
  if (args.includes('--explain')) return REPORTS.explanation?.schema;
  const [first = '', second = ''] = args;
  const command = GROUPS.includes(first) ? args.slice(0, second === 'alias' ? 3 : 2).join(' ') : first;
  return Object.values(REPORTS).find(({ commands }) => commands.includes(command))?.schema;
}

/** Throws unless what a command with `--json` printed on stdout is one JSON text of the published schema. */
export function checkJson(args: readonly string[], stdout: string, status: number | null): void {
  if (
    !args.includes('--json') ||
    args.includes('-') ||
    args[0] === 'export' ||
    status === null ||
    status > 127
  )
    return;
  const printed: unknown = JSON.parse(stdout);
  const isFailure = z
    .strictObject({ error: z.unknown(), exit_status: z.unknown() })
    .safeParse(printed).success;
  const schema = schemaOf(args, isFailure);
  if (schema === undefined) throw new Error(`No schema for ${args.join(' ')}: see src/cli/json/reports.ts`);
  const { error } = schema.safeParse(printed);
  if (error !== undefined)
    throw new Error(
      `mlferry ${args.join(' ')} prints other JSON than its schema says: ${z.prettifyError(error)}`,
    );
}
