import { z } from 'zod';

/** The list of models in a run's tag `mlflow.log-model.history`, as MLflow 1 and 2 keep it; none where it is no list. */
export function parseModelHistory(text: string): readonly unknown[] | undefined {
  try {
    return z.array(z.unknown()).parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The history with as many of its entries as fit, the first ones: half an entry would make all of them unreadable. */
export function fitModelHistory(text: string, fits: (text: string) => boolean): string | undefined {
  const entries = parseModelHistory(text);
  if (entries === undefined) return undefined;
  for (let count = entries.length; count > 0; count--) {
    const part = JSON.stringify(entries.slice(0, count));
    if (fits(part)) return part;
  }
  return '[]';
}

const located = z.object({ model_uuid: z.string(), artifact_path: z.string() });

/** Where the models of a history are below the run's artifact root, by their `model_uuid`. */
export function modelPaths(text: string): Map<string, string> {
  const entries = (parseModelHistory(text) ?? []).flatMap((entry) => located.safeParse(entry).data ?? []);
  return new Map(entries.map(({ model_uuid, artifact_path }) => [model_uuid, artifact_path]));
}

/**
 * A history with what only the copy's own one tells of logged models: their directories are still there, and stay theirs.
 * `undefined`: neither is there.
 */
export function withHeldModels(wanted: string | undefined, held: string | undefined): string | undefined {
  const before = held === undefined ? [] : (parseModelHistory(held) ?? []);
  const entries = wanted === undefined ? [] : parseModelHistory(wanted);
  if (entries === undefined) return wanted;
  const known = entries.flatMap((entry) => located.safeParse(entry).data ?? []);
  const more = before.filter((entry) => {
    const { data } = located.safeParse(entry);
    if (data?.model_uuid.startsWith('m-') !== true) return false;
    return !known.some(
      ({ model_uuid, artifact_path }) =>
        model_uuid === data.model_uuid || artifact_path === data.artifact_path,
    );
  });
  return more.length === 0 ? wanted : JSON.stringify([...entries, ...more]);
}

const modelFile = z.object({
  run_id: z.string().optional(),
  utc_time_created: z.string().optional(),
  flavors: z.record(z.string(), z.unknown()),
});

/**
 * An entry of the history for the content of an `MLmodel` file, as MLflow 2 writes it (mlflow/models/model.py,
 * `get_tags_dict`); `undefined` where that is no such file.
 */
export function historyEntry(
  content: unknown,
  own: { readonly run_id: string; readonly artifact_path: string; readonly model_uuid: string },
): unknown {
  const { data } = modelFile.safeParse(content);
  if (data === undefined) return undefined;
  const { run_id = own.run_id, utc_time_created = '', flavors } = data;
  return {
    run_id,
    artifact_path: own.artifact_path,
    utc_time_created,
    model_uuid: own.model_uuid,
    flavors: Object.fromEntries(
      Object.entries(flavors).map(([flavor, settings]) => [flavor, withoutConfig(settings)]),
    ),
  };
}

function withoutConfig(settings: unknown): unknown {
  const { data } = z.record(z.string(), z.unknown()).safeParse(settings);
  if (data === undefined) return settings;
  return Object.fromEntries(Object.entries(data).filter(([key]) => key !== 'config'));
}
