import { MlferryError } from '../../../util/errors.ts';

/** What a search finds with a filter; where the server refuses it, all without one: it is judged here again anyway. */
export async function* orUnfiltered<T>(
  filter: string | undefined,
  search: (filter: string | undefined) => AsyncIterable<T>,
): AsyncGenerator<T> {
  let began = false;
  try {
    for await (const found of search(filter)) {
      began = true;
      yield found;
    }
  } catch (error) {
    const isRefused = error instanceof MlferryError && error.code === 'REFUSED';
    if (filter === undefined || began || !isRefused) throw error;
    yield* search(undefined);
  }
}
