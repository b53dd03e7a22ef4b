import { kindOf } from '../kinds/kinds.ts';
import { idOf, nameOf } from '../kinds/marks.ts';
import { remapModelFiles } from '../kinds/model-files.ts';
import { hasLinks, linkedModels, linksOf, MODEL, modelsIn } from '../kinds/model-links.ts';
import { type RunIds, referenceKept, remapRun, runReferences, unresolvedTags } from '../kinds/remap.ts';
import { runDigest } from '../model/canonical.ts';
import { withChosenFiles } from '../places/chosen-files.ts';
import { listedOnce } from '../places/listed-once.ts';
import { modelPathsIn } from '../places/model-directories.ts';
import { digestWithModels, withModels } from '../places/models-in-runs.ts';
import { withPacedFiles } from '../places/paced-files.ts';
import { MlferryError } from '../util/errors.ts';
import { carriedRun, partDigest } from './carried-run.ts';
import { noteModels } from './note-models.ts';
import type { Pass, Work } from './pass.ts';

/**
 * Copies one run, and notes what the second pass has to do for it. `runIds`: the runs that it may refer to. What fails for
 * the run alone is listed.
 */
export async function copyRun(pass: Pass, { source, experiment }: Work, runIds: RunIds): Promise<void> {
  const { writer, flow } = pass;
  const { signal, ledger, parts, journal } = pass.options;
  if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted');
  const { run_id, artifact_uri } = source.run;
  const ref = { kind: source.run.kind, id: run_id };
  const { experiment_id } = experiment;
  const { keepsIds } = writer.traits;
  const models = pass.models?.of(source.run) ?? [];
  const digest = partDigest(kindOf('run'), digestWithModels(runDigest(source.run), models), parts);
  try {
    const listed = models.length === 0 ? source : listedOnce(source);
    const alone = await carriedRun(listed, parts, (points, bytes) => {
      flow.points += points;
      flow.bytes += bytes;
      pass.progress();
    });
    const placed =
      pass.models === undefined
        ? { reader: alone, links: linksOf({}), paths: new Map<string, string>(), losses: [] }
        : await withModels(alone, models, {
            directories: await modelPathsIn(listed, models, await writer.heldModels?.(run_id, experiment)),
            keepModelFiles: parts.keepModelFiles,
            fail: ({ of, record }, error) =>
              pass.objectFailed({ kind: of.kind, id: idOf(of, record), name: nameOf(of, record) }, error),
          });
    const chosen = withChosenFiles(placed.reader, parts.files, (loss) =>
      ledger.loss({ ...loss, experiment_name: experiment.name, run_id }),
    );
    const carried = withPacedFiles(chosen, pass.options.bandwidth);
    const { run } = carried;
    const references = runReferences(run);
    const tags = keepsIds ? new Map<string, string>() : unresolvedTags(run, references.tags, runIds);
    for (const [key, value] of keepsIds ? [] : Object.entries(run.tags))
      if (modelsIn(value).length > 0) tags.set(key, value);
    const links = linksOf(run);
    for (const id of [...linkedModels(links), ...linkedModels(placed.links)])
      pass.named.of(MODEL).set(id, id);
    const isOpen = !keepsIds && (tags.size > 0 || hasLinks(links));
    let own = { run_id, experiment_id, artifact_uri };
    const files =
      keepsIds || parts.keepModelFiles
        ? carried
        : remapModelFiles(
            carried,
            { ...ref, artifact_uri },
            () => ({ ...ref, id: own.run_id, artifact_uri: own.artifact_uri }),
            pass.ids,
          );
    // An archive keeps its own account of what it holds.
    const notes = keepsIds ? undefined : journal;
    const inDoubt = notes?.isInDoubt(ref) ?? false;
    await notes?.intent(ref);
    const written = await writer.run(files, {
      experiment,
      origin: `${pass.reader.info.fingerprint}/${run_id}`,
      digest: isOpen || run.incomplete === true ? undefined : digest,
      inDoubt,
      remap(ids) {
        if (keepsIds) return run;
        own = { ...ids, experiment_id };
        return remapRun(run, own, runIds);
      },
    });
    const isWhole = written.incomplete !== true && run.incomplete !== true;
    await notes?.done(ref, written.run_id, isWhole ? digest : undefined);
    pass.wrote(run, experiment, written);
    const held = models.filter(({ of, record }) => placed.paths.has(idOf(of, record)));
    noteModels(pass, written, (id) => placed.paths.get(id), held);
    for (const loss of written.outcome === 'unchanged' ? [] : placed.losses)
      ledger.loss({ ...loss, run_id, experiment_name: experiment.name });
    const kept = keepsIds ? [] : references.inputs.filter((id) => !runIds.has(id));
    if (kept.length > 0) ledger.loss(referenceKept(experiment.name, run_id, 'dataset input', kept));
    if (isOpen) {
      pass.open.push({
        source: { run_id, artifact_uri },
        own: { ...own, run_id: written.run_id },
        experiment_name: experiment.name,
        tags,
        links,
        digest: isWhole ? digest : undefined,
      });
    }
    const changed = written.outcome === 'created' || written.outcome === 'updated';
    if (run.lifecycle_stage === 'deleted' && changed) {
      const time = run.deleted_time;
      pass.deletedRuns.push({
        run_id: written.run_id,
        experiment_id,
        ...(time === undefined ? {} : { deleted_time: time }),
      });
    }
  } catch (error) {
    pass.runFailed(source.run, error);
  }
}
