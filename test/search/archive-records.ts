import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { placeOptions } from '../../src/job/job-options.ts';
import { createLedger } from '../../src/job/ledger.ts';
import type { Experiment, Run } from '../../src/model/records.ts';
import type { Selection } from '../../src/model/selection.ts';
import { openReader } from '../../src/places/open.ts';
import { addPoints, type HistoryAggregates } from '../../src/search/aggregates.ts';

/** All records of a place as its backup in an archive has them. */
export interface Records {
  readonly experiments: readonly Experiment[];
  readonly runs: readonly Run[];
  /** The aggregates of a metric of a run. */
  aggregates(run: Run): (key: string) => HistoryAggregates | undefined;
}

const EVERYTHING: Selection = { experiments: [], runs: [], view: 'all' };

/** Takes a backup of a place and reads it. */
export async function archiveRecords(location: string): Promise<Records> {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-search-'));
  try {
    const archive = join(directory, 'backup.tar');
    const { report } = await copyBetween(location, archive, { selection: EVERYTHING, artifacts: false });
    if (report.failures.length > 0) throw new Error(`backup: ${JSON.stringify(report.failures)}`);
    return await readRecords(archive, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Reads an archive; `directory` is for what it unpacks. */
export async function readRecords(archive: string, directory: string): Promise<Records> {
  const reader = await openReader(archive, placeOptions({}, directory, createLedger(), 'from'));
  const experiments: Experiment[] = [];
  const runs: Run[] = [];
  const histories = new Map<string, HistoryAggregates>();
  for await (const experiment of reader.experiments(EVERYTHING)) {
    experiments.push(experiment);
    for await (const one of reader.runs(experiment, EVERYTHING)) {
      runs.push(one.run);
      for await (const { key, points } of one.metrics()) {
        const name = `${one.run.run_id} ${key}`;
        const history = addPoints(histories.get(name), points);
        if (history !== undefined) histories.set(name, history);
      }
    }
  }
  await reader.close();
  return { experiments, runs, aggregates: (run) => (key) => histories.get(`${run.run_id} ${key}`) };
}
