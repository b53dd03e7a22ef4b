import { isTooLarge } from './client.ts';
import { pageTokens } from './page-tokens.ts';

/** One list that a server gives in pages. */
export interface PagedList<T> {
  /** For messages. */
  readonly name: string;
  ask(max_results: number, page_token: string | undefined): Promise<T>;
  /** Whether a page brings anything that no page before it had. */
  isNew(page: T): boolean;
  /** Entries of a page, at most. Asks for fewer while an answer is too large (tokens are offsets, so the size may change). */
  readonly size: number;
}

/** The pages of a list. Throws SERVER_ERROR as {@link pageTokens} does: the list would never end. */
export async function* pages<T extends { next_page_token?: string | undefined }>({
  name,
  ask,
  isNew,
  size: most,
}: PagedList<T>): AsyncGenerator<T> {
  const follow = pageTokens(name);
  let size = most;
  let token: string | undefined;
  while (true) {
    let page: T;
    try {
      page = await ask(size, token);
    } catch (error) {
      if (size === 1 || !isTooLarge(error)) throw error;
      size = Math.ceil(size / 8);
      continue;
    }
    token = follow(page.next_page_token, isNew(page));
    yield page;
    if (token === undefined) return;
  }
}
