import { z } from 'zod';
import type { ListOptions } from '../manage/list-runs.ts';
import { toJson } from '../model/json.ts';
import { selectionAt } from '../places/open.ts';
import { showExperiment } from '../show/show-experiment.ts';
import { showLoggedModel } from '../show/show-logged-model.ts';
import { showRun } from '../show/show-run.ts';
import { MlferryError } from '../util/errors.ts';
import { endWithFailures } from './end-with-failures.ts';
import { experimentText } from './experiment-text.ts';
import type { Io } from './io.ts';
import { loggedModelText } from './logged-model-text.ts';
import { placeOf } from './manage-values.ts';
import { openInBrowser } from './open-in-browser.ts';
import { modelsShow } from './run-models.ts';
import { runText } from './run-text.ts';

const showOptions = z.object({
  experiment: z.string().optional(),
  model: z.string().optional(),
  open: z.boolean(),
  json: z.boolean().default(false),
});

/** Ids of logged models. */
const MODEL_ID = /^m-[0-9a-f]{32}$/;

/** What `mlferry show` does. */
export async function runShow(
  place: string,
  run: string | undefined,
  values: unknown,
  io: Io,
): Promise<void> {
  const { experiment, model, open, json } = showOptions.parse(values);
  if ([run, experiment, model].filter((each) => each !== undefined).length > 1)
    throw new MlferryError('USAGE', 'A run, --experiment and --model exclude each other');
  const options: ListOptions = { ...placeOf(values, io), stdin: io.stdin };
  const width = io.stdout.isTTY === true ? (io.stdout.columns ?? 80) : undefined;
  if (model !== undefined && !MODEL_ID.test(model)) return modelsShow(place, model, values, io);
  if (model !== undefined) {
    const { view, failures } = await showLoggedModel(place, model, options);
    io.stdout.write(json ? `${toJson(view)}\n` : loggedModelText(view, width));
    return endWithFailures(failures, io);
  }
  const at = selectionAt(place);
  const named = experiment ?? (run === undefined && at.runs.length === 0 ? at.experiments[0] : undefined);
  if (named !== undefined) {
    const { view, failures } = await showExperiment(place, named, options);
    io.stdout.write(json ? `${toJson(view)}\n` : experimentText(view, width));
    return endWithFailures(failures, io);
  }
  if (run === undefined && at.runs.length === 0)
    throw new MlferryError('USAGE', 'Nothing says what to show', {
      hint: 'Name a run, or give --experiment or --model; mlferry runs list shows the runs of a place, inspect what there is.',
    });
  const { view, failures } = await showRun(place, run, options);
  io.stdout.write(json ? `${toJson(view)}\n` : runText(view, width));
  if (open) {
    const { link } = view.source ?? {};
    if (link === undefined)
      throw new MlferryError(
        'UNSUPPORTED',
        `Run ${view.run.run_id} has no source that a browser could open`,
        {
          hint: 'Its tags name no commit of a repository on the web, no notebook and no job.',
        },
      );
    io.stderr.write(`Opening ${link}\n`);
    await openInBrowser(link, io);
  }
  endWithFailures(failures, io);
}
