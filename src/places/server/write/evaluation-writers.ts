import { CREATION_TIME_TAG } from '../../../model/canonical.ts';
import type { ObjectWriter } from '../../objects.ts';
import type { TargetContext } from './target-context.ts';
import { datasetRecordWriter } from './write-dataset-records.ts';
import { evaluationDatasetWriter } from './write-evaluation-dataset.ts';
import { scorerWriter } from './write-scorer.ts';

/** Writes scorers, evaluation datasets and their records to a server that has them. */
export interface EvaluationWriters {
  readonly objects: ReadonlyArray<readonly [kind: string, write: ObjectWriter]>;
  /** Reads back records, and reports what could not be kept of all. */
  finish(): Promise<void>;
}

/** See {@link EvaluationWriters}. */
export function evaluationWriters(context: TargetContext): EvaluationWriters {
  let created = 0;
  const datasets = evaluationDatasetWriter(context, () => {
    created += 1;
  });
  const records = datasetRecordWriter(context);
  return {
    objects: [
      ['scorer', scorerWriter(context)],
      ['evaluation_dataset', datasets],
      ['evaluation_dataset_record', records.write],
    ],
    async finish() {
      await records.readBack();
      if (created === 0) return;
      context.findings.loss({
        code: 'CREATION_TIMES',
        count: created,
        detail: `a server sets times of evaluation datasets itself: when the source’s were created stands in their tag ${CREATION_TIME_TAG}`,
      });
    },
  };
}
