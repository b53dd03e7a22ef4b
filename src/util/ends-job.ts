import type { ErrorCode, MlferryError } from './errors.ts';

/**
 * Whether an error ends the job; any other is listed as the failure of its object, and the work goes on. `ofItem`: codes
 * that end a job elsewhere but concern only the object at hand here.
 */
export function endsJob({ meaning, code }: MlferryError, ofItem: readonly ErrorCode[] = []): boolean {
  return meaning.scope === 'job' && !ofItem.includes(code);
}
