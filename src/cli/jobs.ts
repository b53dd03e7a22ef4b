import type { Command } from 'commander';
import type { Io } from './io.ts';
import { positiveNumber } from './place-options.ts';
import { addStateDirOption } from './state-dir.ts';

/** `mlferry jobs list|show|forget|prune`. */
export function addJobsCommand(program: Command, io: Io): void {
  const jobs = program
    .command('jobs')
    .description('show or forget the journals of copies: what is unfinished, who works on it')
    .addHelpText(
      'after',
      `
Examples
  mlferry jobs list
  mlferry jobs show 1f0c
  mlferry jobs forget 1f0c2a9b77d3
  mlferry jobs prune --days 7
`,
    );
  const add = (usage: string, description: string) =>
    addStateDirOption(jobs.command(usage).description(description)).option('--json', 'print JSON');

  add('list', 'all jobs, the latest first').action(async (values: unknown) => {
    const { runJobsList } = await import('./run-jobs.ts');
    return runJobsList(values, io);
  });
  add('show <job>', 'one job, by its id or the beginning of it').action(
    async (id: string, values: unknown) => {
      const { runJobsShow } = await import('./run-jobs.ts');
      return runJobsShow(id, values, io);
    },
  );
  add('forget <job>', "remove a job's journal and lock; what it copied stays").action(
    async (id: string, values: unknown) => {
      const { runJobsForget } = await import('./run-jobs.ts');
      return runJobsForget(id, values, io);
    },
  );
  add('prune', 'forget the jobs that ended long ago (copies do so after 30 days)')
    .option('--days <number>', 'ended at least so many days ago', positiveNumber, 30)
    .action(async (values: unknown) => {
      const { runJobsPrune } = await import('./run-jobs.ts');
      return runJobsPrune(values, io);
    });
}
