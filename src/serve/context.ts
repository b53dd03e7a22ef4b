import type { Asked } from './asked.ts';
import type { ServedFiles } from './files.ts';
import type { FoundIds } from './found-ids.ts';
import type { Reply } from './reply.ts';
import type { ServedPlace } from './served-place.ts';

/** What requests are answered from. */
export interface Context {
  readonly place: ServedPlace;
  readonly files: ServedFiles;
  readonly found: FoundIds;
}

/** Answers one route. Throws a Refusal, or an error of mlferry. */
export type Handler = (context: Context, asked: Asked) => Promise<Reply>;
