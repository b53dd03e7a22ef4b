import { z } from 'zod';
import type { ListedModel } from '../../manage/list-models.ts';
import type { ListedRun } from '../../manage/sorted-runs.ts';
import { experiment, run } from '../../model/records.ts';
import { modelVersion, registeredModel } from '../../model/registered-model.ts';
import { namedPlace } from '../places-file.ts';
import { schemaOf } from './schema-of.ts';

const listedRun = schemaOf<ListedRun>()(run.extend({ experiment_name: z.string() }));

/** What `mlferry runs list` prints: whole runs, or the columns of `--columns`. */
export const runList = z.union([
  z.array(listedRun),
  z.array(z.record(z.string(), z.union([z.string(), z.number(), z.null()]))),
]);

/** What `mlferry place list` prints. */
export const placeList = z.array(namedPlace.extend({ name: z.string() }));

/** What `mlferry models list` and `models show` print. */
export const modelList = z.array(
  schemaOf<ListedModel>()(
    registeredModel.extend({ is_prompt: z.boolean(), versions: z.array(modelVersion) }),
  ),
);

/** What `mlferry experiments list` prints. */
export const experimentList = z.array(experiment);
