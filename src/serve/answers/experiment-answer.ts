import type { Experiment } from '../../model/records.ts';
import { rootOfExperiment } from '../served-roots.ts';
import { keyValues, orNothing } from './json-values.ts';

/** An experiment as MLflow's servers tell it. */
export function experimentAnswer(experiment: Experiment): unknown {
  const { experiment_id, name, lifecycle_stage, creation_time, last_update_time, tags } = experiment;
  return {
    experiment_id,
    name,
    artifact_location: rootOfExperiment(experiment_id),
    lifecycle_stage,
    last_update_time: orNothing(last_update_time),
    creation_time: orNothing(creation_time),
    tags: keyValues(tags),
  };
}
