import type { Span } from '../trace.ts';

const ATTACHMENT = /mlflow-attachment:\/\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/g;

/** Ids of the files that spans name: newer clients put what is large or no text beside the trace (mlflow/tracing/attachments.py). */
export function attachmentsOf(spans: readonly Span[]): readonly string[] {
  const texts = spans.flatMap(({ attributes }) => Object.values(attributes));
  return [
    ...new Set(texts.flatMap((json) => [...json.matchAll(ATTACHMENT)].map(([, id = '']) => id))),
  ].sort();
}
