import { type ListOptions, readPlace } from '../manage/list-runs.ts';
import type { LoggedModel } from '../model/logged-model.ts';
import type { Experiment } from '../model/records.ts';
import type { ModelVersion } from '../model/registered-model.ts';
import type { PlaceInfo } from '../places/place.ts';
import { MlferryError } from '../util/errors.ts';
import { loggedModelsOf, versionsOf } from './models-of-run.ts';
import { filesOf, type Shown, type ShownFile } from './show-run.ts';

/** All that a place tells of a logged model. */
export interface LoggedModelView {
  readonly kind: 'logged_model_view';
  readonly place: PlaceInfo;
  readonly experiment: Pick<Experiment, 'experiment_id' | 'name'>;
  readonly model: LoggedModel;
  readonly versions: readonly ModelVersion[];
  readonly artifacts: readonly ShownFile[];
}

/** A logged model of any place, by its id. Throws NOT_FOUND where there is none. */
export async function showLoggedModel(
  location: string,
  model_id: string,
  options: ListOptions = {},
): Promise<Shown<LoggedModelView>> {
  const found: LoggedModelView[] = [];
  const failures = await readPlace(location, options, async (reader) => {
    const selection = { experiments: [], runs: [], view: 'all' as const };
    for await (const experiment of reader.experiments(selection))
      for await (const { record, source } of loggedModelsOf(reader, [experiment])) {
        if (record.model_id !== model_id) continue;
        found.push({
          kind: 'logged_model_view',
          place: reader.info,
          experiment: { experiment_id: experiment.experiment_id, name: experiment.name },
          model: record,
          versions: await versionsOf(reader, { models: [model_id] }),
          artifacts: await filesOf(source),
        });
        return;
      }
  });
  const [view] = found;
  if (view === undefined)
    throw new MlferryError('NOT_FOUND', `There is no logged model ${model_id} in ${location}`, {
      hint: 'mlferry show PLACE RUN names the models of a run.',
    });
  return { view, failures };
}
