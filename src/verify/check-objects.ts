import { isChosen } from '../kinds/is-chosen.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { idOf, nameOf } from '../kinds/marks.ts';
import { createLeftOut } from '../kinds/parts.ts';
import type { Experiment } from '../model/records.ts';
import type { ObjectReader } from '../places/objects.ts';
import type { Reader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import type { CheckFrame } from './check-frame.ts';
import { OF_OBJECT } from './damage.ts';
import { readArtifacts } from './read-artifacts.ts';

/** Reads every object of the further kinds whole: its record and its files. What cannot be read is listed. */
export async function checkObjects(
  reader: Reader,
  experiments: readonly Experiment[],
  frame: CheckFrame,
): Promise<void> {
  const { selection, book, signal, parts } = frame;
  const isOut = createLeftOut(parts);
  const chosen = new Set(experiments.map(({ experiment_id }) => `experiment ${experiment_id}`));
  const isSeen = (kind: string, id: string) =>
    chosen.has(`${kind} ${id}`) || (kind === 'run' && frame.runs.has(id));
  const scope = { selection, experiments, isChosen: isSeen, isHeld: isSeen };
  for (const of of FURTHER_KINDS) {
    const source = reader.objects?.get(of.kind);
    if (source === undefined) continue;
    try {
      for await (const object of source.read(scope)) {
        signal.throwIfAborted();
        if (object.belongs !== true && !isChosen(of, object.record, selection, isSeen)) continue;
        const id = idOf(of, object.record);
        chosen.add(`${of.kind} ${id}`);
        if (isOut(of, id, object.record)) {
          book.leaveOut(of);
          continue;
        }
        await object.report?.();
        await checkObject(object, frame);
      }
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      const reason = `${known.message} (${known.code})`;
      book.add({ kind: of.kind, symbol: '!', id: '', name: of.words.many, differences: [], reason });
    }
  }
}

async function checkObject(source: ObjectReader, frame: CheckFrame): Promise<void> {
  const { of, record } = source;
  const item = { kind: of.kind, id: idOf(of, record), name: nameOf(of, record), differences: [] };
  try {
    await source.whole?.();
    const { files, bytes } = frame.parts.objects.artifacts
      ? await readArtifacts(source, frame)
      : { files: 0, bytes: 0 };
    frame.progress.checked({ points: 0, files, bytes });
    frame.book.add({ ...item, symbol: '=' });
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known, OF_OBJECT)) throw known;
    frame.book.add({ ...item, symbol: '!', reason: `${known.message} (${known.code})` });
  }
}
