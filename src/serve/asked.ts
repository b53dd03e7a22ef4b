import { z } from 'zod';
import { invalid } from './refusal.ts';

/** A request: the parameters of its address or the fields of its body, and what its path names. */
export interface Asked {
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The parameters of an address; one that comes more than once is a list. */
export function fieldsOfQuery(query: URLSearchParams): Record<string, unknown> {
  const keys = [...new Set(query.keys())];
  return Object.fromEntries(
    keys.map((key) => {
      const values = query.getAll(key);
      return [key, values.length === 1 ? values[0] : values];
    }),
  );
}

/** The fields of a request by a schema. Throws INVALID_PARAMETER_VALUE. */
export function parsed<T>(schema: z.ZodType<T>, { fields }: Asked): T {
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  throw invalid(`The request is not as MLflow asks: ${z.prettifyError(result.error)}`);
}

/** A text that may be left out; an empty one is none. */
export const optionalText = z
  .string()
  .nullish()
  .transform((text) => text || undefined);

/** A list of texts; one text alone is a list. */
export const texts = z
  .union([z.array(z.string()), z.string().transform((text) => [text])])
  .nullish()
  .transform((list) => list ?? []);

/** How many at most, as a number or its text. */
export const count = (usual: number, most: number) =>
  z
    .union([z.number(), z.string()])
    .nullish()
    .transform((value) => (value === null || value === undefined || value === '' ? usual : Number(value)))
    .pipe(z.int().min(1).max(most));

/** MLflow's view types, by name or number. */
export const viewType = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((view): readonly string[] => {
    if (view === 'DELETED_ONLY' || view === '2' || view === 2) return ['deleted'];
    if (view === 'ALL' || view === '3' || view === 3) return ['active', 'deleted'];
    return ['active'];
  });

/** Fields of every search. */
export const searchFields = {
  filter: z
    .string()
    .nullish()
    .transform((text) => text ?? ''),
  order_by: texts,
  page_token: optionalText,
};
