import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Selection } from '../model/selection.ts';
import type { LocationText } from './location-text.ts';
import type { Manager } from './manager.ts';
import type { Reader, Writer } from './place.ts';
import type { PlaceOptions, WriterOptions } from './place-options.ts';
import type { PlaceTraits } from './traits.ts';

/** How help and hints speak of a place. */
export interface PlaceWords {
  /** `tracking server` */
  readonly name: string;
  /** `on tracking servers` */
  readonly inMany: string;
  /** What locations look like, in one line of a hint. */
  readonly short: readonly string[];
  /** What locations look like, and what each is, for the overview of the help. */
  readonly forms: ReadonlyArray<readonly [form: string, meaning: string]>;
  /** A location to copy from a hint. */
  readonly example: string;
}

/** Imports one side of a place when it is needed: help and usage errors load none. */
type Opener<L, Options, Side> = () => Promise<(location: L, options: Options) => Promise<Side>>;

/** What one kind of place says of itself. `L` is its own form of a location. */
export interface PlaceParts<L> {
  /** Stands in reports and in the header of archives and streams: lower-case letters, digits and `-`. */
  readonly kind: string;
  readonly words: PlaceWords;
  readonly traits: PlaceTraits;
  /** Told from other files by the name alone. */
  readonly byFileName?: boolean;
  /** Told from other directories by what is in them: only one that is there is such a place. */
  readonly byContent?: boolean;
  /** Of what may come through a pipe: its locations there, and how its first 512 bytes tell that it is this. */
  readonly inPipe?: {
    readonly location: string;
    /** When it is written, compressed. */
    readonly compressed: Readonly<Record<'gzip' | 'zstd', string>>;
    begins(start: Uint8Array): boolean;
  };
  /** Of the kind that `-` names: looks at what comes through the pipe, and gives it whole. */
  readonly peekPipe?: () => Promise<
    (
      pipe: Readable,
      options: PlaceOptions,
    ) => Promise<{ readonly start: Uint8Array; readonly chunks: AsyncIterable<Uint8Array> }>
  >;
  /** The location, when it names a place of this kind; `undefined` when it does not. Throws LOCATION for one that means to. */
  claim(location: LocationText): L | undefined;
  /** One text for one place, however it was written, without credentials. `undefined` for what cannot be opened twice. */
  identity(location: L): string | undefined;
  /** The location from whatever directory, where it holds a path and is none. */
  absolute?(location: L): string;
  /** The experiments or runs that a location names besides the place: the address of a page that shows them. */
  chosen?(location: L): Partial<Pick<Selection, 'experiments' | 'runs'>> | undefined;
  /** Absent sides are those that the place does not have. */
  readonly reader?: Opener<L, PlaceOptions, Reader>;
  readonly writer?: Opener<L, WriterOptions, Writer>;
  readonly manager?: Opener<L, PlaceOptions, Manager>;
}

/** What can be done with a place. */
export type Ability = 'read' | 'write' | 'manage';

/** A kind of place, for those who need not know its form of a location. */
export interface PlaceDescriptor
  extends Pick<
    PlaceParts<never>,
    'kind' | 'words' | 'traits' | 'byFileName' | 'byContent' | 'inPipe' | 'peekPipe'
  > {
  readonly abilities: ReadonlySet<Ability>;
  /** The place of this kind that a location names; `undefined` when it names none. Throws LOCATION. */
  at(location: LocationText): PlaceAt | undefined;
}

/** A place that is still to be opened. */
export interface PlaceAt {
  readonly descriptor: PlaceDescriptor;
  /** See {@link PlaceParts}. */
  identity(): string | undefined;
  /** The location from whatever directory it is opened, as it was written otherwise. */
  absolute(): string;
  chosen(): Partial<Pick<Selection, 'experiments' | 'runs'>> | undefined;
  readonly reader?: (options: PlaceOptions) => Promise<Reader>;
  readonly writer?: (options: WriterOptions) => Promise<Writer>;
  readonly manager?: (options: PlaceOptions) => Promise<Manager>;
}

/** Makes the descriptor of a kind of place. */
export function describePlace<L>(parts: PlaceParts<L>): PlaceDescriptor {
  const { kind, words, traits, byFileName = false, byContent = false, inPipe, peekPipe } = parts;
  const { reader, writer, manager } = parts;
  const sides: ReadonlyArray<[Ability, unknown]> = [
    ['read', reader],
    ['write', writer],
    ['manage', manager],
  ];
  const descriptor: PlaceDescriptor = {
    kind,
    words,
    traits,
    byFileName,
    byContent,
    ...(inPipe && { inPipe }),
    ...(peekPipe && { peekPipe }),
    abilities: new Set(sides.flatMap(([ability, side]) => (side === undefined ? [] : [ability]))),
    at: (text) => {
      const location = parts.claim(text);
      if (location === undefined) return undefined;
      return {
        descriptor,
        identity: () => parts.identity(location),
        absolute: () =>
          text.path === undefined || text.text === '-'
            ? (parts.absolute?.(location) ?? text.text)
            : resolve(text.path),
        chosen: () => parts.chosen?.(location),
        ...(reader && { reader: async (options) => (await reader())(location, options) }),
        ...(writer && { writer: async (options) => (await writer())(location, options) }),
        ...(manager && { manager: async (options) => (await manager())(location, options) }),
      };
    },
  };
  return descriptor;
}
