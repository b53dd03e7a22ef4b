import { withoutDeletedRuns } from '../model/canonical.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { Experiment } from '../model/records.ts';
import type { Representation } from '../places/representation.ts';
import { type Difference, differenceOf, mapDifferences } from './difference.ts';

/** How an experiment is compared. */
export interface ExperimentFrame {
  /** Its name on the target. */
  readonly name: string;
  /** Absent: the target holds the record as it is. */
  readonly representation: Representation | undefined;
  /** Several experiments go into this one, or `--into` names it: its tags and stage are not those of the source. */
  readonly shared: boolean;
}

/** The fields in which an experiment of the target is not what it must be. */
export function compareExperiment(
  source: Experiment,
  target: Experiment,
  { name, representation, shared }: ExperimentFrame,
): { differences: Difference[]; losses: readonly RunLoss[] } {
  if (shared) return { differences: [], losses: [] };
  // Which runs had been deleted before it says nothing about another place.
  const wanted = (representation === undefined ? source : withoutDeletedRuns(source)).tags;
  const present = (representation === undefined ? target : withoutDeletedRuns(target)).tags;
  const { tags, losses } = representation?.experimentTags(wanted, present) ?? { tags: wanted, losses: [] };
  const keepsTimes = representation === undefined;
  const keepsCreation =
    keepsTimes ||
    (representation.keepsCreationTime &&
      source.experiment_id === target.experiment_id &&
      // A store makes this one itself.
      name !== 'Default' &&
      source.creation_time !== undefined);
  const fields = [
    'lifecycle_stage' as const,
    ...(keepsCreation ? (['creation_time'] as const) : []),
    ...(keepsTimes ? (['last_update_time', 'experiment_id', 'artifact_location'] as const) : []),
  ];
  return {
    differences: [
      ...fields.flatMap((field) => differenceOf(field, source[field], target[field])),
      ...mapDifferences('tags.', tags, present),
    ],
    losses,
  };
}
