import { isUri } from '../../../kinds/model-links.ts';
import { hasSameSource, madeOf } from '../../../kinds/model-registry.ts';
import { VERSION_SOURCE_TAG, withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { REGISTERED_DIRECTORY } from '../../../model/own-files.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';

/** What stands on a version that only keeps a number free: the next one shall have the right number. */
export const GAP_TAG = 'mlferry.gap';

/** What a registered model on a server must look like; see write-registry.ts, which makes it so. */
export function representRegisteredModel(
  wanted: RegisteredModel,
  _present: RegisteredModel,
): { readonly record: RegisteredModel; readonly losses: readonly RunLoss[] } {
  return { record: wanted, losses: [] };
}

/** A version of a registered model as a server can hold it, and what it loses. */
export function fitVersion(wanted: ModelVersion): {
  readonly version: ModelVersion;
  readonly losses: readonly RunLoss[];
} {
  const { status_message, user_id: _, model_id, ...version } = wanted;
  const losses: RunLoss[] = [];
  if (wanted.status !== 'READY' || status_message !== undefined) {
    const detail = `a server makes each model version READY: the status ${wanted.status} and its message are lost`;
    losses.push({ code: 'MODEL_STATUS', key: 'status', detail });
  }
  const tags = withoutBookkeeping(wanted.tags);
  // A model among the files of its run has no id: the source of the version says where it is.
  const model = model_id === undefined || isUri(model_id) ? {} : { model_id };
  return { version: { ...version, ...model, status: 'READY', tags }, losses };
}

/** Whether a version's source is a logged model that was made for its files; see hold-version-files.ts. */
export function isHeldByModel({ source, tags }: ModelVersion): boolean {
  return ownValue(tags, VERSION_SOURCE_TAG) !== undefined && /^models:\/+m-/.test(source);
}

/** What a version on a server must look like. Where its files are is told by more than one URI. */
export function representVersion(
  wanted: ModelVersion,
  present: ModelVersion,
): { readonly record: ModelVersion; readonly losses: readonly RunLoss[] } {
  const { version, losses } = fitVersion(wanted);
  const isHeld = isHeldByModel(present);
  const isLate = isHeld && wanted.run_id !== undefined && wanted.run_id !== present.run_id;
  const { run_id, model_id, ...rest } = version;
  // Databases have no column for the logged model of a version: its source tells which.
  const toldBySource = present.model_id === undefined && madeOf(present).models[0] === model_id;
  const same =
    isHeld || hasSameSource(wanted, present) || present.source.includes(`/${REGISTERED_DIRECTORY}/`);
  return {
    record: {
      ...rest,
      ...(run_id === undefined || isLate ? {} : { run_id }),
      ...(model_id === undefined || toldBySource ? {} : { model_id }),
      source: same ? present.source : version.source,
      // A server takes the run of a version from its logged model where none is given.
      ...((isLate || (wanted.run_id === undefined && wanted.model_id !== undefined)) &&
      present.run_id !== undefined
        ? { run_id: present.run_id }
        : {}),
      ...((model_id === undefined || isHeld) && present.model_id !== undefined
        ? { model_id: present.model_id }
        : {}),
    },
    losses: isLate ? [...losses, LATE_RUN] : losses,
  };
}

const LATE_RUN: RunLoss = {
  code: 'VALUE_CONFLICT',
  key: 'run_id',
  detail:
    'its run came after it: a version cannot be given another run, and keeps the files that came with it',
};
