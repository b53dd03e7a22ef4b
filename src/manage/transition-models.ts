import { VERSION, versionKey } from '../kinds/model-registry.ts';
import { MODEL_STAGES } from '../model/mlflow/model-stages.ts';
import { MlferryError } from '../util/errors.ts';
import { objectText } from './change-objects.ts';
import { NO_PLAN } from './changes.ts';
import { chosenModels, type ModelChoiceOptions } from './chosen-models.ts';
import { type ManageReport, manage, orListed } from './manage-job.ts';
import { changeOf, type ObjectChange, presentVersions, stageOf } from './object-changes.ts';

/** Options of {@link transitionModels}. */
export interface TransitionModelsOptions extends ModelChoiceOptions {
  /** Versions that are in that stage now become Archived. */
  readonly archiveExisting?: boolean | undefined;
}

/**
 * Brings versions of registered models to a stage (`None`, `Staging`, `Production`, `Archived`, in upper or lower case). A prompt is
 * a failure: it has no stages. Throws USAGE for another stage, and for `archiveExisting` with one that archives nothing.
 */
export async function transitionModels(
  location: string,
  stage: string,
  options: TransitionModelsOptions,
): Promise<ManageReport> {
  const known = MODEL_STAGES.find((name) => name.toLowerCase() === stage.toLowerCase());
  if (known === undefined)
    throw new MlferryError('USAGE', `There is no stage ${JSON.stringify(stage)}`, {
      hint: `Stages are ${MODEL_STAGES.join(', ')}.`,
    });
  const archives = options.archiveExisting ?? false;
  if (archives && known !== 'Staging' && known !== 'Production')
    throw new MlferryError('USAGE', 'Versions make room in the stages Staging and Production only');
  return manage(location, 'transition-models', options, async (manager, ledger) => {
    const { objects, registry, notes } = await chosenModels(
      manager.reader,
      { ...options, versions: true },
      ledger,
    );
    const changes: ObjectChange[] = [];
    let unchanged = 0;
    const chosen = new Set(objects.map(({ id }) => id));
    for (const object of objects) {
      await orListed(ledger, objectText(object), async () => {
        if (object.kind !== VERSION.kind || object.is_prompt)
          throw new MlferryError('UNSUPPORTED', 'Only versions of registered models have stages', {
            hint: 'Aliases are for prompts too: mlferry models alias set.',
          });
        const before = stageOf(object) ?? MODEL_STAGES[0];
        if (before === known) unchanged += 1;
        else changes.push(changeOf(object, { current_stage: before }, { current_stage: known }));
      });
    }
    const names = archives ? new Set(objects.map(({ id }) => versionKey(id).name)) : [];
    for (const name of names)
      for (const version of presentVersions(registry.get(name)))
        if (!chosen.has(version.id) && stageOf(version) === known)
          changes.push({
            ...changeOf(version, { current_stage: known }, { current_stage: 'Archived' }),
            follows: [...chosen].filter((id) => versionKey(id).name === name),
          });
    return { ...NO_PLAN, objects: changes, unchanged, notes };
  });
}
