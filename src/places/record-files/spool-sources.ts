import type { ObjectKind, ObjectRecord } from '../../kinds/kind.ts';
import { describeObject } from '../../kinds/kinds.ts';
import { idOf, marksOf } from '../../kinds/marks.ts';
import type { Run } from '../../model/records.ts';
import { redactUri } from '../../util/redact.ts';
import type { ObjectReader } from '../objects.ts';
import type { RunReader } from '../place.ts';
import type { SpoolSource } from './run-spool.ts';

/** A run as its line says it: without credentials in its artifact URI. */
export function inFile(run: Run): Run {
  return { ...run, artifact_uri: redactUri(run.artifact_uri) };
}

/** What is collected of a run. */
export function runSource(source: RunReader, run: Run): SpoolSource {
  const { run_id } = run;
  return {
    name: `run ${run_id}`,
    record: inFile(run),
    metrics: () => source.metrics(),
    ...(source.fileList === undefined ? {} : { fileList: source.fileList }),
    artifacts: () => source.artifacts(),
    open: (entry) => source.open(entry),
    file: (path, stored) => ({ kind: 'artifact', run_id, path, ...stored }),
  };
}

/** A record whose addresses (the fields that its place sets, and where its files are) hold no credentials. */
function redacted(of: ObjectKind, record: ObjectRecord): ObjectRecord {
  const addresses = marksOf(of.schema).flatMap(({ placed, located, path }) =>
    placed === true || located === true ? path.slice(0, 1) : [],
  );
  const texts = addresses.flatMap((field) => {
    const value = record[field];
    return typeof value === 'string' ? [[field, redactUri(value)]] : [];
  });
  return of.schema.parse({ ...record, ...Object.fromEntries(texts) });
}

/** What is collected of an object of a further kind; `record` is what it is in the file. */
export function objectSource(source: ObjectReader, record: ObjectRecord): SpoolSource {
  const { of } = source;
  const id = idOf(of, record);
  return {
    name: describeObject({ kind: of.kind, id }),
    record: { kind: 'object', of, record: redacted(of, record) },
    artifacts: () => source.artifacts(),
    open: (entry) => source.open(entry),
    file: (path, stored) => ({
      kind: 'object_artifact',
      object_kind: of.kind,
      object_id: id,
      path,
      ...stored,
    }),
  };
}
