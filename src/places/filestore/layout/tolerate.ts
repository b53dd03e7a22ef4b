/** Reads one part of an object; `undefined` when it cannot be read and that is no error of the whole object. */
export type Tolerate = <T>(path: string, read: () => Promise<T>) => Promise<T | undefined>;

/** Tolerates nothing. */
export const strictly: Tolerate = (_path, read) => read();
