import { MlferryError } from '../../../util/errors.ts';

/** Any error of one object as an MlferryError of scope `item`. */
export function asItemError(error: unknown, object: string): MlferryError {
  if (error instanceof MlferryError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new MlferryError('SOURCE_ITEM', `${object} cannot be read: ${reason}`, { cause: error });
}
