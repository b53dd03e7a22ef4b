import type { ErrorCode } from '../util/errors.ts';

/** Damage that shows while one object is read concerns that object, whether one place is checked or two are compared. */
export const OF_OBJECT: readonly ErrorCode[] = ['CORRUPT', 'TRUNCATED', 'BUG'];
