import type { TagChanges } from '../places/tag-changes.ts';
import { MlferryError } from '../util/errors.ts';
import { NO_PLAN } from './changes.ts';
import { chosenModels, type ModelChoiceOptions } from './chosen-models.ts';
import { type ManageReport, manage } from './manage-job.ts';
import { changeOf, type ObjectChange } from './object-changes.ts';
import { hasTags, tagsBefore } from './tag-state.ts';

/** Tags in which MLflow keeps what makes a prompt, and its text. */
const OF_PROMPTS = /^(?:mlflow\.prompt\.|_mlflow_prompt)/;

/** Sets tags of registered models, versions or logged models; `null` removes one. Throws USAGE without any, and for those that make a prompt. */
export async function tagModels(
  location: string,
  tags: TagChanges,
  options: ModelChoiceOptions,
): Promise<ManageReport> {
  const keys = Object.keys(tags);
  if (keys.length === 0) throw new MlferryError('USAGE', 'No tag is named');
  const ofPrompt = keys.find((key) => OF_PROMPTS.test(key));
  if (ofPrompt !== undefined)
    throw new MlferryError('USAGE', `MLflow keeps prompts themselves in tags such as ${ofPrompt}`, {
      hint: 'Change a prompt with MLflow, which makes a new version of it.',
    });
  return manage(location, 'tag-models', options, async (manager, ledger) => {
    const { objects, notes } = await chosenModels(manager.reader, options, ledger);
    const changes: ObjectChange[] = [];
    for (const object of objects)
      if (!hasTags(object.record.tags, tags))
        changes.push(changeOf(object, { tags: tagsBefore(object.record.tags, keys) }, { tags }));
    return { ...NO_PLAN, objects: changes, unchanged: objects.length - changes.length, notes };
  });
}
