import { asMlferryError } from '../util/errors.ts';
import { isInOwnRoot, parseArtifactRoot } from './root.ts';
import type { ArtifactStore } from './store.ts';

/** Environment variables. */
type Environment = Readonly<Record<string, string | undefined>>;

/** A connection to the stores of one scheme. */
interface StoreConnection {
  /** The files at a URI; `undefined` for one that names no place in a store. */
  at(uri: string): ArtifactStore | undefined;
  close(): void;
}

/** Schemes of artifact roots that are stores, and how each is reached. */
const SCHEMES: Readonly<
  Record<string, (environment: Environment, signal: AbortSignal) => Promise<StoreConnection>>
> = {
  async s3(environment, signal) {
    const { connectS3 } = await import('./s3/connection.ts');
    const { s3Address } = await import('./s3/address.ts');
    const { s3Store } = await import('./s3/store.ts');
    const connection = await connectS3(environment, signal);
    return {
      at(uri) {
        const address = s3Address(uri);
        return address === undefined ? undefined : s3Store(connection, address);
      },
      close: connection.close,
    };
  },
};

/** Object stores, each connected to when an artifact root first names it. */
export interface ArtifactStores {
  /**
   * The store with the files at a URI, or why it cannot be reached from here: without its SDK, without credentials, because
   * these do not suffice. What is above the run or model in the URI is tried once. Throws CREDENTIALS where settings are wrong,
   * and INTERRUPTED.
   */
  at(uri: string): Promise<ArtifactStore | string>;
  /** From now on what is above the run or model in this URI counts as out of reach. */
  distrust(uri: string, reason: string): void;
  close(): Promise<void>;
}

/** See {@link ArtifactStores}; nothing is connected to yet. `tell` hears, once each, what is reached, and what is not and why. */
export function artifactStores(
  environment: Environment,
  signal: AbortSignal,
  tell: (store: string, reason?: string) => void = () => undefined,
): ArtifactStores {
  const connections = new Map<string, Promise<StoreConnection | string>>();
  const tried = new Map<string, Promise<string | undefined>>();
  /** Stores of which nothing is reached, whatever the root: nobody answers, or there is no such bucket. */
  const lost = new Map<string, string>();
  const told = new Set<string>();
  const note = (uri: string, reason?: string) => {
    const store = /^[^:]*:\/\/[^/]*/.exec(uri)?.[0] ?? uri;
    const text = JSON.stringify([store, reason]);
    if (!told.has(text)) tell(store, reason);
    told.add(text);
  };

  const connectionTo = (scheme: string) => {
    const known = connections.get(scheme) ?? connect(scheme);
    connections.set(scheme, known);
    return known;
  };

  async function connect(scheme: string): Promise<StoreConnection | string> {
    const open = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
    if (open === undefined) return `mlferry cannot reach ${scheme} roots itself`;
    try {
      return await open(environment, signal);
    } catch (error) {
      return reasonOf(error);
    }
  }

  async function tryOut(store: ArtifactStore): Promise<string | undefined> {
    const reason = lost.get(store.name);
    if (reason !== undefined) return reason;
    try {
      await store.probe();
      return undefined;
    } catch (error) {
      const found = reasonOf(error);
      // What may be read can differ from root to root.
      if (asMlferryError(error).code !== 'DENIED') lost.set(store.name, found);
      return found;
    }
  }

  return {
    async at(uri) {
      const root = parseArtifactRoot(uri);
      if (root.kind !== 'other') return `${root.kind} roots are no store`;
      const connection = await connectionTo(root.scheme);
      const store =
        typeof connection === 'string'
          ? connection
          : (connection.at(uri) ?? 'the artifact root names no bucket');
      if (typeof store === 'string') {
        note(uri, store);
        return store;
      }
      const above = aboveOwner(uri);
      const known = tried.get(above) ?? tryOut(store);
      tried.set(above, known);
      const reason = await known;
      note(uri, reason);
      return reason ?? store;
    },
    distrust(uri, reason) {
      tried.set(aboveOwner(uri), Promise.resolve(reason));
      note(uri, reason);
    },
    async close() {
      for (const connection of connections.values()) {
        const opened = await connection.catch(() => '');
        if (typeof opened !== 'string') opened.close();
      }
    },
  };
}

/** The store with the files of what has this id at its URI, or why it is out of reach; `undefined` where that is no root of its own. */
export async function ownStore(
  stores: ArtifactStores,
  uri: string,
  id: string,
): Promise<ArtifactStore | string | undefined> {
  return isInOwnRoot(uri, id) ? stores.at(uri) : undefined;
}

/** `…/<id>/artifacts/…` without its id: the same for all runs or models of an experiment. */
function aboveOwner(uri: string): string {
  return uri.replace(/\/[^/]+\/artifacts(\/.*)?$/s, '');
}

/** Why a store is out of reach, for people; throws what has nothing to do with it. */
function reasonOf(error: unknown): string {
  const known = asMlferryError(error);
  if (['BUG', 'INTERRUPTED', 'CREDENTIALS'].includes(known.code)) throw known;
  const hint = known.code === 'UNSUPPORTED' ? ` (${known.hint})` : '';
  return `${known.message}${hint}`;
}
