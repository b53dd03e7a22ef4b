import { hasSameSource } from '../../../kinds/model-registry.ts';
import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import type { Store } from '../read/store.ts';
import { textFitter } from './text-fitter.ts';

/** The directory, beside those of experiments, of files that come along with versions whose run or logged model does not. */
export const VERSION_FILES = 'mlferry-registered-models';

const TAG = { key: 'key', value: 'value' };

/** A registered model as a database holds it. */
export function fitRegisteredModel(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: RegisteredModel,
): { readonly record: RegisteredModel; readonly losses: readonly RunLoss[] } {
  const { losses, optional, map } = textFitter(store, 'registered model');
  const { description: _, ...rest } = wanted;
  const description = optional('registered_models', 'description', 'description', wanted.description);
  const record = {
    ...rest,
    ...(description === undefined ? {} : { description }),
    tags: map('registered_model_tags', TAG, withoutBookkeeping(wanted.tags)),
  };
  return { record, losses };
}

/** A version of a registered model as a database holds it. */
export function fitVersion(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: ModelVersion,
): { readonly record: ModelVersion; readonly losses: readonly RunLoss[] } {
  const { losses, lost, holds, text, optional, map } = textFitter(store, 'model version');
  const { description, run_id, run_link, model_id, status_message, user_id, ...rest } = wanted;
  if (model_id !== undefined && !wanted.source.includes(model_id))
    lost('MODEL_LINKS', 'model_id', `the logged model ${model_id}, which its source does not name`);
  const aliases = wanted.aliases.filter((alias) => {
    if (holds('registered_model_aliases', 'alias', alias)) return true;
    lost('KEY_NOT_ALLOWED', `alias ${alias}`, 'the name of the alias');
    return false;
  });
  const field = (key: string, value: string | undefined) => {
    const fitted = optional('model_versions', key, key, value);
    return fitted === undefined ? {} : { [key]: fitted };
  };
  const record: ModelVersion = {
    ...rest,
    ...field('description', description),
    current_stage:
      text('model_versions', 'current_stage', 'current_stage', wanted.current_stage) || MODEL_STAGES[0],
    aliases,
    ...field('run_id', run_id),
    ...field('run_link', run_link),
    status: text('model_versions', 'status', 'status', wanted.status) || 'READY',
    ...field('status_message', status_message),
    ...field('user_id', user_id),
    tags: map('model_version_tags', TAG, withoutBookkeeping(wanted.tags)),
  };
  return { record, losses };
}

/** What a version in a database must look like. Where its files are is told by more than one URI. */
export function representVersion(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: ModelVersion,
  present: ModelVersion,
): ReturnType<typeof fitVersion> {
  const { record, losses } = fitVersion(store, wanted);
  const same = hasSameSource(wanted, present) || present.source.includes(`/${VERSION_FILES}/`);
  return { record: same ? { ...record, source: present.source } : record, losses };
}
