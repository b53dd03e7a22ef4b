import { ORIGIN_PARENT_TAG } from '../../../model/canonical.ts';
import { type FittedRun, fitRun, type RunLoss } from '../../../model/fit-run.ts';
import { fits, isKeyAllowed, limitsOf, withColumns } from '../../../model/mlflow/limits.ts';
import { goesOn } from '../../../model/mlflow/statuses.ts';
import { RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import type { DatasetInput, Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { FittedTags, Representation, RepresentedRun } from '../../representation.ts';
import { fitExperimentTags } from '../../writing/fit-experiment-tags.ts';
import { NOT_DELETED } from '../connect/can-restore.ts';
import { isAtLeast, isMlflow } from '../connect/capabilities.ts';
import { runOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { knowsModels } from '../read/logged-models.ts';
import { RENAMED, safeName } from './artifact-names.ts';
import { NO_INPUTS } from './log-inputs.ts';
import { inputKey, keepModelHistory, OTHER_USER } from './run-changes.ts';
import { sinkOf } from './sink-of.ts';

/** What a copy on this server must look like; see write-run.ts, which makes it so. */
export function serverRepresentation(client: TrackingClient): Representation {
  const limits = limitsOf(client.server.version);
  const store = client.server.store_type;

  return {
    keepsCreationTime: false,
    refusedPoints: 'metrics',
    experimentTags(tags, present) {
      const fitted = fitExperimentTags(tags, limits);
      const created = withCreatedTags(fitted, tags, present);
      return isAtLeast(client.server, '3.17') ? created : withRefusedTags(created, present);
    },
    run(remapped, present) {
      const wanted = knowsModels(client) ? remapped : keepModelHistory(remapped, present);
      const plain = fitRun(wanted, limits, present.tags);
      const narrow = fitRun(wanted, withColumns(limits), present.tags);
      const others = narrow.losses.length > plain.losses.length ? [narrow] : [];
      const shown = (form: FittedRun) => asShown(form, wanted, present, isMlflow(client.server));
      const first = shown(plain);
      const all = [first, ...others.map(shown)];
      const isKept = !isMlflow(client.server) && present.lifecycle_stage === 'active';
      const notDeleted = isKept && wanted.lifecycle_stage === 'deleted' ? all.map(active) : [];
      const mayLack = !isAtLeast(client.server, '2.4') && present.dataset_inputs.length === 0;
      const forms = [first, ...all.slice(1), ...notDeleted] as const;
      return [...forms, ...(mayLack ? forms.flatMap(withoutInputs) : [])];
    },
    points: () => ({
      merges: store !== 'FileStore',
      exact: store === 'FileStore',
      negativeTimestamps: false,
      problemOf: (key) => (isKeyAllowed(key, limits) ? undefined : 'the target takes no metric of this key'),
    }),
    async artifacts({ artifact_uri, run_id }) {
      const sink = await sinkOf(client, runOwner({ artifact_uri, run_id }));
      return (path, size) => {
        if (sink === undefined || (size !== undefined && sink.takes?.(size) === false)) {
          return {
            loss: {
              code: 'ARTIFACTS_UNREACHABLE',
              detail: 'the artifact root on the target cannot be written from here',
            },
          };
        }
        if (sink.keepsName(path)) return { path };
        const detail = RENAMED;
        return { path: safeName(path), loss: { code: 'ARTIFACT_NAME', key: path, detail } };
      };
    },
  };
}

/** A tag with an unusual key that is there all the same is right: older servers take any in `experiments/create`. */
function withCreatedTags({ tags, losses }: FittedTags, source: Run['tags'], present: Run['tags']) {
  const created = Object.entries(source).filter(
    ([key, value]) => ownValue(tags, key) === undefined && ownValue(present, key) === value,
  );
  return {
    tags: Object.fromEntries([...Object.entries(tags), ...created]),
    losses: losses.filter(({ key }) => !created.some(([made]) => made === key)),
  };
}

/** Between 3.7 and 3.17 servers began to take longer tags than 5000; those that do not refuse them. */
function withRefusedTags({ tags, losses }: FittedTags, present: Run['tags']): FittedTags {
  const refused = Object.entries(tags).filter(
    ([key, value]) => ownValue(present, key) === undefined && !fits(value, 5000),
  );
  const keys = new Set(refused.map(([key]) => key));
  return {
    tags: Object.fromEntries(Object.entries(tags).filter(([key]) => !keys.has(key))),
    losses: [
      ...losses,
      ...refused.map(
        ([key]): RunLoss => ({
          code: 'VALUE_NOT_ALLOWED',
          left_behind: true,
          key,
          detail: 'the target refused the experiment tag, and it is lost',
        }),
      ),
    ],
  };
}

/** A deleted run as a server holds it that deletes for good. */
function active({ run, losses, ...rest }: RepresentedRun): RepresentedRun {
  const { deleted_time: _, ...kept } = run;
  const others = losses.filter(({ code }) => code !== 'DELETED_TIME');
  const loss = { code: 'NOT_DELETED', detail: NOT_DELETED } as const;
  return { ...rest, run: { ...kept, lifecycle_stage: 'active' }, losses: [...others, loss] };
}

/** A run as a server holds it that has no dataset inputs: MLflow before 2.4, or what is none. */
function withoutInputs({ run, losses, ...rest }: RepresentedRun): RepresentedRun[] {
  const count = run.dataset_inputs.length;
  if (count === 0) return [];
  const loss = { code: 'INPUTS_NOT_HELD', count, detail: NO_INPUTS } as const;
  return [{ ...rest, run: { ...run, dataset_inputs: [] }, losses: [...losses, loss] }];
}

/** A run that was sent in this form, as the server shows it afterwards. */
function asShown(fitted: FittedRun, wanted: Run, present: Run, isOfMlflow: boolean): RepresentedRun {
  const { run } = fitted;
  const losses = [...fitted.losses];
  const { deleted_time, ...rest } = run;
  if (deleted_time !== undefined && present.deleted_time === undefined) {
    losses.push({
      code: 'DELETED_TIME',
      detail: 'a server sets the time of deletion itself: that of the source is not kept',
    });
  }
  if (run.start_time === null) {
    losses.push({
      code: 'START_TIME_UNSET',
      key: 'start_time',
      detail: 'the run has no start time; the target shows 1970',
    });
  }
  if (run.end_time === null && present.end_time !== null && goesOn(run)) {
    losses.push({
      code: 'END_TIME_KEPT',
      key: 'end_time',
      detail: 'the run goes on at the source; the target keeps its earlier end time until the next one',
    });
  }
  // GitLab: the one who copies.
  const isOtherUser = !isOfMlflow && run.user_id !== present.user_id;
  if (isOtherUser) losses.push({ code: 'VALUE_CONFLICT', key: 'user_id', detail: OTHER_USER });
  const run_name = run.run_name === '' ? present.run_name : run.run_name;
  const created = Object.entries(wanted.tags).filter(
    ([key, value]) =>
      key !== RUN_NAME_TAG && ownValue(run.tags, key) === undefined && ownValue(present.tags, key) === value,
  );
  // MLflow keeps the name in a tag, too; FastTrackML only as the name.
  const hasTag = isOfMlflow || ownValue(present.tags, RUN_NAME_TAG) !== undefined;
  const nameTag = hasTag ? [[RUN_NAME_TAG, run_name] as const] : [];
  // What cannot remove a tag has emptied it.
  const emptied = ownValue(present.tags, ORIGIN_PARENT_TAG) === '' ? [[ORIGIN_PARENT_TAG, ''] as const] : [];
  return {
    losses,
    spills: fitted.oversize !== undefined,
    run: {
      ...rest,
      ...(present.deleted_time === undefined ? {} : { deleted_time: present.deleted_time }),
      run_name,
      ...(isOtherUser ? { user_id: present.user_id } : {}),
      start_time: unset(run.start_time, present.start_time),
      end_time:
        goesOn(run) && run.end_time === null ? present.end_time : unset(run.end_time, present.end_time),
      tags: Object.fromEntries([...Object.entries(run.tags), ...created, ...nameTag, ...emptied]),
      dataset_inputs: eachOnce(run.dataset_inputs, losses),
    },
  };
}

/** To a server no time and 0 are the same. */
function unset(wanted: Run['start_time'], present: Run['start_time']): Run['start_time'] {
  return (wanted ?? 0) === (present ?? 0) ? present : wanted;
}

/** A run has one input of each name and digest. */
function eachOnce(inputs: readonly DatasetInput[], losses: RunLoss[]): DatasetInput[] {
  const first = new Map<string, DatasetInput>();
  for (const input of inputs) {
    const key = inputKey(input);
    if (!first.has(key)) first.set(key, input);
    else if (JSON.stringify(first.get(key)) !== JSON.stringify(input)) {
      losses.push({
        code: 'DATASET_DIFFERS',
        key: input.dataset.name,
        detail: 'the run has two datasets of this name and digest, of which the target keeps one',
      });
    }
  }
  return [...first.values()];
}
