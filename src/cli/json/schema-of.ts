import type { z } from 'zod';

/**
 * The schema of what is printed for a type: `schemaOf<Report>()(z.strictObject({ … }))` compiles only while the schema has every
 * field of the type, optional ones too, and gives nothing that the type does not allow.
 */
export const schemaOf =
  <T>() =>
  <S extends z.ZodType<T>>(schema: S & (keyof T extends keyof z.output<S> ? unknown : never)): S =>
    schema;
