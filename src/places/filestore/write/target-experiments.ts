import { randomInt } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Experiment } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TargetExperiment } from '../../place.ts';
import { fileUri } from '../layout/file-uri.ts';
import { isDirectory, listExperimentDirs, META_FILE, NEW_STORE, PARTIAL, TRASH } from '../layout/layout.ts';
import { experimentMetaFields } from '../layout/meta-fields.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import { asItemError } from '../read/item-error.ts';
import { loadExperiment } from '../read/read-experiments.ts';
import { createTagCheck, leftOut } from './experiment-tags.ts';
import type { StoreContext } from './run-context.ts';
import { writeFiles } from './run-parts.ts';

/** An experiment that runs are written to. */
export interface ExperimentState {
  readonly source: Experiment;
  readonly record: Experiment;
  directory: string;
}

/** The experiments of a store that is written to. */
export interface TargetExperiments {
  /** Finds an experiment by name, active or deleted, or makes it. */
  open(source: Experiment, name: string): Promise<TargetExperiment>;
  /** The experiment of an id that `open` gave. */
  get(experimentId: string): ExperimentState;
  /** Makes MLflow's experiment 0 in a store that is new and got no other one of this id. */
  openDefault(): Promise<void>;
}

const DEFAULT_ID = '0';
const DEFAULT_NAME = 'Default';

/** The experiments of the store at `context.root`; `isNew` = there was no store before this job. */
export function createTargetExperiments(
  context: Pick<StoreContext, 'root' | 'staging' | 'findings'>,
  isNew: boolean,
): TargetExperiments {
  const { root, staging, findings } = context;
  const byId = new Map<string, ExperimentState>();
  const byName = new Map<string, { experiment: Experiment; directory: string }>();
  const ids = new Set<string>();
  let loading: Promise<void> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const load = async () => {
    for (const directory of await listExperimentDirs(root, true)) {
      ids.add(directory.name);
      try {
        const { experiment } = await loadExperiment(directory);
        if (!byName.has(experiment.name))
          byName.set(experiment.name, { experiment, directory: directory.path });
      } catch (error) {
        const object = `experiment "${directory.name}" of the target`;
        const { code, message, hint } = asItemError(error, object);
        findings.failure({ code, object, message, hint });
      }
    }
  };

  const newId = (wanted: string): string => {
    if (/^(?:0|[1-9]\d{0,18})$/.test(wanted) && !ids.has(wanted)) return wanted;
    for (;;) {
      const id = `${randomInt(1e8, 1e9)}${randomInt(1e8, 1e9)}`;
      if (!ids.has(id)) return id;
    }
  };

  const tagsToWrite = (
    source: Experiment,
    name: string,
    present: Experiment | undefined,
    directory: string,
  ) => {
    const lossOf = createTagCheck(directory, Object.keys(present?.tags ?? {}));
    const sorted = Object.entries(source.tags).sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.filter(([key, value]) => {
      const there = present === undefined ? undefined : ownValue(present.tags, key);
      if (there === value) return false;
      const loss =
        there === undefined
          ? lossOf(key, value)
          : leftOut('VALUE_CONFLICT', key, 'the target has another value, which was kept');
      if (loss !== undefined) findings.loss({ ...loss, experiment_name: name });
      return loss === undefined;
    });
  };

  const create = async (source: Experiment, name: string): Promise<Experiment> => {
    if (!name.isWellFormed())
      throw new MlferryError(
        'UNSUPPORTED',
        `The experiment name ${JSON.stringify(name)} holds half a character`,
      );
    const experiment_id = newId(
      name === DEFAULT_NAME && isNew && !ids.has(DEFAULT_ID) ? DEFAULT_ID : source.experiment_id,
    );
    ids.add(experiment_id);
    const directory = join(root, experiment_id);
    const tags = tagsToWrite(source, name, undefined, directory);
    const record: Experiment = {
      ...source,
      experiment_id,
      name,
      artifact_location: `${fileUri(root)}/${experiment_id}`,
      lifecycle_stage: 'active',
      tags: Object.fromEntries(tags),
    };
    await staging.placeDirectory(directory, async (temporary) => {
      if (temporary === undefined) return;
      await mkdir(join(root, TRASH), { recursive: true });
      if (isNew) await writeFile(join(root, PARTIAL, NEW_STORE), '');
      writeFiles(join(temporary, 'tags'), tags);
      writeFiles(temporary, [[META_FILE, formatMetaYaml(experimentMetaFields(record))]]);
    });
    byName.set(name, { experiment: record, directory });
    return record;
  };

  const openOne = async (source: Experiment, name: string): Promise<TargetExperiment> => {
    loading ??= load();
    await loading;
    const found = byName.get(name);
    const record = found?.experiment ?? (await create(source, name));
    const directory = found?.directory ?? join(root, record.experiment_id);
    if (found !== undefined) {
      for (const [key, value] of tagsToWrite(source, name, record, directory))
        await staging.replaceFile(join(directory, 'tags', key), value);
      if (
        record.lifecycle_stage === 'deleted' &&
        source.lifecycle_stage === 'active' &&
        !byId.has(record.experiment_id)
      ) {
        findings.loss({
          code: 'LEFT_DELETED',
          experiment_name: name,
          detail: 'the experiment is deleted on the target and was left deleted; its runs are written there',
        });
      }
    }
    if (!byId.has(record.experiment_id)) byId.set(record.experiment_id, { source, record, directory });
    return { experiment_id: record.experiment_id, name, created: found === undefined };
  };

  return {
    open(source, name) {
      const result = last.then(() => openOne(source, name));
      last = result.catch(() => undefined);
      return result;
    },
    get(experimentId) {
      const experiment = byId.get(experimentId);
      if (experiment === undefined)
        throw new MlferryError('BUG', `Experiment ${experimentId} was not opened`);
      return experiment;
    },
    async openDefault() {
      if (!isNew || staging.isDry || !(await isDirectory(root))) return;
      if (!ids.has(DEFAULT_ID) && !byName.has(DEFAULT_NAME)) await createDefault();
      await rm(join(root, PARTIAL, NEW_STORE), { force: true });
    },
  };

  async function createDefault(): Promise<void> {
    await create({ ...newExperiment(DEFAULT_NAME), experiment_id: DEFAULT_ID }, DEFAULT_NAME);
  }
}

/** An experiment that begins now; the store gives it its id. */
export function newExperiment(name: string): Experiment {
  const now = Date.now();
  return {
    kind: 'experiment',
    experiment_id: '',
    name,
    artifact_location: '',
    lifecycle_stage: 'active',
    creation_time: now,
    last_update_time: now,
    tags: {},
  };
}

/** Whether an experiment's directory stands in the trash. */
export function isInTrash(directory: string): boolean {
  return dirname(directory).endsWith(`/${TRASH}`);
}
