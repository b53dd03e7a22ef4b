import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const here = join(import.meta.dirname, '..');
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] };

/** Checks a commit of this repository out into `directory`, which must not be there, and builds it as it says itself. */
export function buildVersion(commit: string, directory: string): void {
  execFileSync('git', ['-C', here, 'worktree', 'add', '--detach', directory, commit], quiet);
  // Its `prepare` script builds it.
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { ...quiet, cwd: directory });
}

/** Takes the worktree away again. */
export function removeVersion(directory: string): void {
  execFileSync('git', ['-C', here, 'worktree', 'remove', '--force', directory], quiet);
}
