import { z } from 'zod';
import type { RunLoss } from '../../../model/fit-run.ts';
import { compareInt64, toInt64 } from '../../../model/int64.ts';
import { allowedText, fits } from '../../../model/mlflow/limits.ts';
import type { Experiment } from '../../../model/records.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TargetExperiment } from '../../place.ts';
import { fitExperimentTags } from '../../writing/fit-experiment-tags.ts';
import { type Cell, onConflict } from '../connect/database.ts';
import { numericId } from '../read/cells.ts';
import { readExperiments, withTags } from '../read/experiments.ts';
import { checkedRows } from '../read/store.ts';
import type { ExperimentTarget } from './target.ts';
import { ALONE } from './transactions.ts';

/** An experiment that runs are written to. */
export interface ExperimentState {
  readonly source: Experiment;
  readonly record: Experiment;
  /** Whether it is deleted now. */
  deleted: boolean;
}

/** The experiments of a database that is written to. */
export interface TargetExperiments {
  /** Finds an experiment by name, active or deleted, or makes it. */
  open(source: Experiment, name: string): Promise<TargetExperiment>;
  /** The experiment of an id that `open` gave. */
  get(experiment_id: string): ExperimentState;
  /** Makes MLflow's experiment 0 where a database had no other experiments than those of this copy, and none has its name or id. */
  openDefault(): Promise<void>;
}

const DEFAULT: Pick<Experiment, 'experiment_id' | 'name'> = { experiment_id: '0', name: 'Default' };

const idRow = z.object({ experiment_id: numericId });

/** The experiments of the target's workspace; `known` are those that were there when it was opened. */
export function createTargetExperiments(
  target: ExperimentTarget,
  known: readonly Experiment[],
): TargetExperiments {
  const { database, transactions, tables, workspace, limits, findings, roots, dryRun } = target;
  const byId = new Map<string, ExperimentState>();
  const byName = new Map(known.map((experiment) => [experiment.name, experiment]));
  let last: Promise<unknown> = Promise.resolve();

  /** The wanted id where it is free and the engine can hold it; else the next one. Ids are those of all workspaces. */
  const newId = async (wanted: string): Promise<string> => {
    const ids = tables.columns('experiments', ['experiment_id']);
    const rows = await checkedRows(target, idRow, `SELECT ${ids} FROM "experiments"`);
    const taken = new Set(rows.map(({ experiment_id }) => experiment_id));
    const { greatestId } = database;
    const fitting = (id: string) => /^(?:0|[1-9]\d*)$/.test(id) && BigInt(id) <= BigInt(greatestId);
    if (fitting(wanted) && !taken.has(wanted)) return wanted;
    const greatest = [...taken].map(toInt64).reduce((a = 0, b = 0) => (compareInt64(a, b) < 0 ? b : a), 0);
    let next = BigInt(greatest ?? 0) + 1n;
    if (next > BigInt(greatestId)) for (next = 1n; taken.has(String(next)); next++);
    return String(next);
  };

  const note = (name: string, losses: readonly RunLoss[]) => {
    for (const loss of losses) findings.loss({ ...loss, experiment_name: name });
  };

  const setTags = async (experiment_id: string, tags: StringMap) => {
    const sql =
      'INSERT INTO "experiment_tags" ("key", "value", "experiment_id") VALUES (?, ?, ?)' +
      onConflict(['key', 'experiment_id'], ['value']);
    for (const [key, value] of Object.entries(tags)) await database.change(sql, [key, value, experiment_id]);
  };

  const insert = async (record: Experiment) => {
    const all: ReadonlyArray<readonly [column: string, cell: Cell]> = [
      ['experiment_id', record.experiment_id],
      ['name', record.name],
      ['artifact_location', record.artifact_location],
      ['lifecycle_stage', 'active'],
      ['creation_time', record.creation_time ?? null],
      ['last_update_time', record.last_update_time ?? null],
      ...(workspace === undefined ? [] : [['workspace', workspace] as const]),
    ];
    const cells = all.filter(([column]) => tables.has('experiments', column));
    const columns = cells.map(([column]) => `"${column}"`).join(', ');
    await database.change(
      `INSERT INTO "experiments" (${columns}) VALUES (${cells.map(() => '?').join(', ')})`,
      cells.map(([, cell]) => cell),
    );
    await setTags(record.experiment_id, record.tags);
    const { renumber } = database;
    if (renumber !== undefined) await database.rows(renumber);
  };

  const create = async (
    source: Experiment,
    name: string,
  ): Promise<{ readonly record: Experiment; readonly created: boolean }> => {
    if (allowedText(name, limits) !== name)
      throw new MlferryError(
        'UNSUPPORTED',
        `The experiment name ${JSON.stringify(name)} holds characters that the database cannot hold`,
      );
    if (!fits(name, tables.length('experiments', 'name')))
      throw new MlferryError(
        'UNSUPPORTED',
        `The experiment name ${JSON.stringify(name)} is too long for the database`,
        {
          hint: 'Copy it to another name with --rename.',
        },
      );
    const fitted = fitExperimentTags(source.tags, limits);
    note(name, fitted.losses);
    const now = Date.now();
    const make = async (): Promise<Experiment> => {
      const isDefault = name === DEFAULT.name && byName.size === 0;
      const experiment_id = await newId(isDefault ? DEFAULT.experiment_id : source.experiment_id);
      const artifact_location = roots.locationOf(experiment_id);
      if (!fits(artifact_location, tables.length('experiments', 'artifact_location')))
        throw new MlferryError(
          'UNSUPPORTED',
          `The artifact root ${artifact_location} is too long for the database`,
          {
            hint: '--to-artifacts-root names a shorter one.',
          },
        );
      return {
        ...{ creation_time: now, last_update_time: now, ...source, experiment_id, name, artifact_location },
        lifecycle_stage: 'active',
        tags: fitted.tags,
      };
    };
    if (dryRun) return { record: await make(), created: true };
    return transactions.run(ALONE, async () => {
      if (database.lockExperiments !== undefined) await database.change(database.lockExperiments);
      // Another process may have made it meanwhile.
      const found = (await readExperiments(target)).find((other) => other.name === name);
      if (found !== undefined) return { record: found, created: false };
      const record = await make();
      await insert(record);
      return { record, created: true };
    });
  };

  const update = async (source: Experiment, record: Experiment) => {
    const [present] = await withTags(target, [record]);
    const there = present?.tags ?? {};
    const fitted = fitExperimentTags(source.tags, limits);
    note(record.name, fitted.losses);
    const changed = Object.entries(fitted.tags).filter(([key, value]) => ownValue(there, key) !== value);
    const [conflicts, added] = [
      changed.filter(([key]) => ownValue(there, key) !== undefined),
      changed.filter(([key]) => ownValue(there, key) === undefined),
    ];
    const detail = 'the tag is left out: the target has another value, which was kept';
    note(
      record.name,
      conflicts.map(([key]) => ({ code: 'VALUE_CONFLICT', key, detail })),
    );
    if (added.length > 0 && !dryRun)
      await transactions.run(added.length, () => setTags(record.experiment_id, Object.fromEntries(added)));
  };

  const openOne = async (source: Experiment, name: string): Promise<TargetExperiment> => {
    const found = byName.get(name);
    const { record, created } =
      found === undefined ? await create(source, name) : { record: found, created: false };
    const { experiment_id, lifecycle_stage } = record;
    byName.set(name, record);
    if (!created) {
      await update(source, record);
      if (lifecycle_stage === 'deleted' && source.lifecycle_stage === 'active' && !byId.has(experiment_id)) {
        const detail =
          'the experiment is deleted on the target and was left deleted; its runs are written there';
        findings.loss({ code: 'LEFT_DELETED', experiment_name: name, detail });
      }
    }
    if (!byId.has(experiment_id))
      byId.set(experiment_id, { source, record, deleted: lifecycle_stage === 'deleted' });
    return { experiment_id, name, created };
  };

  return {
    open(source, name) {
      const result = last.then(() => openOne(source, name));
      last = result.catch(() => undefined);
      return result;
    },
    get(experiment_id) {
      const experiment = byId.get(experiment_id);
      if (experiment === undefined)
        throw new MlferryError('BUG', `Experiment ${experiment_id} was not opened`);
      return experiment;
    },
    async openDefault() {
      const all = [...byName.values()];
      if (known.some(({ experiment_id }) => !byId.has(experiment_id))) return;
      if (all.length === 0 || byName.has(DEFAULT.name)) return;
      if (all.some(({ experiment_id }) => experiment_id === DEFAULT.experiment_id)) return;
      await create(
        { kind: 'experiment', ...DEFAULT, artifact_location: '', lifecycle_stage: 'active', tags: {} },
        DEFAULT.name,
      );
    },
  };
}
