import { z } from 'zod';
import { type Failure, type FoundObject, isLossCode, type Loss } from '../../model/findings.ts';
import type { PlaceInfo } from '../../places/place.ts';
import { type ErrorCode, errorCodes } from '../../util/errors.ts';
import { schemaOf } from './schema-of.ts';

/** What the reports have in common. */

export const count = z.int().nonnegative();
/** Wall time. */
export const seconds = z.number().nonnegative();
export const exitStatus = z.int().nonnegative().meta({ description: 'exit status of the process' });

/** One of our codes; in the JSON Schema a text, because later versions have more. */
const codeOf = <Code extends string>(isCode: (text: string) => text is Code, description: string) =>
  z
    .custom<Code>((value) => typeof value === 'string' && isCode(value), 'not a known code')
    .meta({ type: 'string', description });

export const errorCode = codeOf(
  (text): text is ErrorCode => Object.hasOwn(errorCodes, text),
  'a code of docs/errors.md',
);
const lossCode = codeOf(isLossCode, 'a code of docs/compatibility.md');

export const place = schemaOf<PlaceInfo>()(
  z.strictObject({
    kind: z.string().meta({ description: 'which kind of place it is' }),
    location: z.string().meta({ description: 'as given, without credentials' }),
    fingerprint: z.string(),
    server_version: z.string().exactOptional(),
  }),
);

const foundObject = schemaOf<FoundObject>()(
  z.strictObject({ kind: z.string(), id: z.string(), name: z.string().exactOptional() }),
);

export const loss = schemaOf<Loss>()(
  z.strictObject({
    code: lossCode,
    experiment_name: z.string().exactOptional(),
    run_id: z.string().exactOptional(),
    of: foundObject.exactOptional(),
    key: z.string().exactOptional(),
    left_behind: z.boolean().exactOptional(),
    count: count.exactOptional().meta({ description: 'values, points or files; 1 unless told' }),
    detail: z.string(),
  }),
);

export const lossCounts = z
  .record(z.string(), count)
  .meta({ description: 'how many values, points or files were lost, per code' });

export const failure = schemaOf<Failure>()(
  z.strictObject({
    code: errorCode,
    object: z.string(),
    of: foundObject.exactOptional(),
    run_id: z.string().exactOptional(),
    message: z.string(),
    hint: z.string(),
  }),
);

/** Why a job stopped before its end. */
export const stopped = z.strictObject({ code: errorCode, message: z.string(), hint: z.string() });
