import { plainText } from './plain-text.ts';
import { redact } from './redact.ts';

/**
 * Every way a job can end badly: code → exit status, whether trying again can help, whether the whole job
 * stops (`job`) or only the run at hand (`item`), and the next step shown to the user.
 */
const ERROR_TABLE = {
  BUG: {
    exit: 1,
    retryable: false,
    scope: 'job',
    hint: 'This is a defect in mlferry: please report it with the command you ran.',
  },
  USAGE: { exit: 2, retryable: false, scope: 'job', hint: 'See mlferry --help.' },
  EXPRESSION: {
    exit: 2,
    retryable: false,
    scope: 'job',
    hint: 'docs/search-expressions.md has the grammar and examples.',
  },
  LOCATION: {
    exit: 2,
    retryable: false,
    scope: 'job',
    hint: 'mlferry --help says what a place is.',
  },
  CREDENTIALS: {
    exit: 2,
    retryable: false,
    scope: 'job',
    hint: 'Set MLFERRY_FROM_TOKEN or MLFERRY_FROM_USERNAME/_PASSWORD (MLFERRY_TO_… for the target), or MLflow’s own variables.',
  },
  INCOMPLETE: {
    exit: 3,
    retryable: true,
    scope: 'item',
    hint: 'The items are listed above; run the same command again to try them again.',
  },
  CORRUPT: {
    exit: 5,
    retryable: false,
    scope: 'job',
    hint: 'Take another copy of the file; nothing in it was used.',
  },
  TRUNCATED: {
    exit: 5,
    retryable: false,
    scope: 'job',
    hint: 'The file has no end: take it again from its source; nothing in it was used.',
  },
  HOSTILE: {
    exit: 5,
    retryable: false,
    scope: 'job',
    hint: 'The file was not made by mlferry or was altered; nothing in it was used.',
  },
  EDITED: {
    exit: 5,
    retryable: false,
    scope: 'job',
    hint: 'If you edited the stream yourself, add --allow-edited.',
  },
  FORMAT: {
    exit: 5,
    retryable: false,
    scope: 'job',
    hint: 'Use the mlferry version that wrote it, or a newer one.',
  },
  DIFFERENT: {
    exit: 4,
    retryable: false,
    scope: 'job',
    hint: 'The differences are listed; copying again mends what can be mended, see docs/verify.md.',
  },
  SOURCE_ITEM: {
    exit: 3,
    retryable: false,
    scope: 'item',
    hint: 'Mend the item at the source and run the same command again.',
  },
  SHORT_BODY: {
    exit: 3,
    retryable: true,
    scope: 'item',
    hint: 'Run the same command again; if it stays, the source’s storage is damaged.',
  },
  REFUSED: { exit: 6, retryable: false, scope: 'item', hint: 'The server’s reason is in the message.' },
  DENIED: {
    exit: 6,
    retryable: false,
    scope: 'job',
    hint: 'Check the user name, password or token and its permissions.',
  },
  NOT_FOUND: {
    exit: 6,
    retryable: false,
    scope: 'item',
    hint: 'It may have been removed meanwhile; run the same command again.',
  },
  NOT_MLFLOW: {
    exit: 6,
    retryable: false,
    scope: 'job',
    hint: 'Is this the base URL of an MLflow tracking server (with its path prefix, without /#/…)?',
  },
  UNSUPPORTED: {
    exit: 6,
    retryable: false,
    scope: 'item',
    hint: 'docs/compatibility.md lists what each MLflow version can hold.',
  },
  SERVER_ERROR: {
    exit: 6,
    retryable: true,
    scope: 'item',
    hint: 'The server’s log says more; run the same command again.',
  },
  MISMATCH: {
    exit: 3,
    retryable: true,
    scope: 'item',
    hint: 'The target does not hold what was sent; run the same command again.',
  },
  UNAVAILABLE: {
    exit: 7,
    retryable: true,
    scope: 'job',
    hint: 'Check the address and that the server is up, then run the same command again.',
  },
  CONFLICT: {
    exit: 8,
    retryable: false,
    scope: 'job',
    hint: 'Choose another target or remove the one that is there.',
  },
  NO_SPACE: {
    exit: 9,
    retryable: true,
    scope: 'job',
    hint: 'Make room (--temp-dir moves the spool) and run the same command again.',
  },
  INTERRUPTED: { exit: 130, retryable: true, scope: 'job', hint: 'Run the same command again to go on.' },
} as const;

/** A stable error code; `docs/errors.md` explains each. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** What a code means: exit status of the process, whether a repeat can help, what stops, what to do next. */
export interface ErrorMeaning {
  readonly exit: number;
  readonly retryable: boolean;
  readonly scope: 'job' | 'item';
  readonly hint: string;
}

/** All codes with their meaning, for the documentation and for tests. */
export const errorCodes: Readonly<Record<ErrorCode, ErrorMeaning>> = ERROR_TABLE;

/**
 * The one error class of mlferry. `message` names the object and the reason; `hint` the next step.
 * Never put a credential into either: the CLI prints both. What `redact` knows is taken out of the message all the
 * same, and it is one line; only EXPRESSION shows the user's own text, printable, with a caret below it.
 */
export class MlferryError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    const shown = code === 'EXPRESSION' ? message : plainText(redact(message));
    super(shown, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MlferryError';
    this.code = code;
    this.hint = options.hint ?? ERROR_TABLE[code].hint;
  }

  get meaning(): ErrorMeaning {
    return ERROR_TABLE[this.code];
  }
}

/** The `code` of a Node system error (`ENOENT` …), if it is one. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether an error says that a file or directory is not there. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Any thrown value as an MlferryError, with `context` in front of the message: full and failing disks become NO_SPACE,
 * aborts INTERRUPTED, the rest `fallback`. What a file system refuses is no defect of mlferry: instead of BUG it becomes
 * DENIED when rights are missing, else REFUSED.
 */
export function asMlferryError(error: unknown, fallback: ErrorCode = 'BUG', context = ''): MlferryError {
  if (error instanceof MlferryError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const message = context === '' ? reason : `${context}: ${reason}`;
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO')
    return new MlferryError('NO_SPACE', message, { cause: error });
  if (error instanceof Error && error.name === 'AbortError')
    return new MlferryError('INTERRUPTED', 'Interrupted', { cause: error });
  if (fallback === 'BUG' && code !== undefined && isFileError(error)) {
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      return new MlferryError('DENIED', message, {
        cause: error,
        hint: 'Check the permissions of the file and its directory.',
      });
    return new MlferryError('REFUSED', message, {
      cause: error,
      hint: 'The file system’s reason is in the message.',
    });
  }
  return new MlferryError(fallback, message, { cause: error });
}

/** Whether a system error is one of the file system: only those name a path. */
function isFileError(error: unknown): boolean {
  return error instanceof Error && 'path' in error && typeof error.path === 'string';
}
