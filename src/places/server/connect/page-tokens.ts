import { MlferryError } from '../../../util/errors.ts';

/** Pages one after another that may bring nothing new: a server that filters after paging gives some empty ones. */
const MOST_IDLE = 100;

/**
 * Follows the page tokens of one list, so that it ends even where a server would go on for ever. The function takes an
 * answer's token and whether its page brought anything new, and gives the token to ask with next, if there is one. Throws
 * SERVER_ERROR on a token that comes again, and after 100 pages without anything new; `name` is the list's, for messages.
 */
export function pageTokens(name: string): (token: string | undefined, news: boolean) => string | undefined {
  const seen = new Set<string>();
  let idle = 0;
  return (token, news) => {
    if (token === undefined || token === '') return undefined;
    if (seen.has(token))
      throw new MlferryError('SERVER_ERROR', `${name}: the server gave the same page token twice`);
    idle = news ? 0 : idle + 1;
    if (idle >= MOST_IDLE)
      throw new MlferryError('SERVER_ERROR', `${name}: ${idle} pages one after another had nothing new`);
    seen.add(token);
    return token;
  };
}
