import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { Lexer, parseDocument, type ScalarTag } from 'yaml';
import { isMap, pythonNumber, type TypedJson } from '../../../model/typed-json.ts';
import { MlferryError } from '../../../util/errors.ts';
import { readSmallFile } from '../../../util/regular-file.ts';
import { decodeUtf8 } from './text-file.ts';

const TEXT = Symbol('YAML');

/** A value that is YAML already. */
export interface YamlText {
  readonly [TEXT]: string;
}

/** What MLflow's `meta.yaml` files hold, as far as mlferry writes it. */
export type MetaValue =
  | string
  | number
  | bigint
  | boolean
  | YamlText
  | null
  | readonly MetaValue[]
  | { readonly [key: string]: MetaValue };

const nullTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:null',
  default: true,
  test: /^(?:~|[Nn]ull|NULL)?$/,
  resolve: () => null,
};

const scalar = (name: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag => ({
  tag: `tag:yaml.org,2002:${name}`,
  default: true,
  test,
  resolve,
});

/** The types that PyYAML gives plain scalars as MLflow writes them; integers beyond 2^53 stay texts. */
export const TYPED: readonly ScalarTag[] = [
  nullTag,
  scalar('bool', /^(?:true|false)$/, (text) => text === 'true'),
  scalar('int', /^-?(?:0|[1-9]\d*)$/, (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text)),
  scalar('float', /^-?\d+\.\d*(?:[eE][-+]\d+)?$/, Number),
];

/**
 * Parses a YAML 1.1 document in which every scalar stays its own text and only a plain null is `null`: which type a
 * field has is known from its name. So integers stay exact, and texts that PyYAML writes without quotes although other
 * YAML readers take them for numbers (a dataset digest `1234e567`) stay texts. Other `tags` give scalars types. Throws
 * SOURCE_ITEM naming `path`.
 */
export function parseMetaYaml(text: string, path: string, tags: readonly ScalarTag[] = [nullTag]): unknown {
  expectFewTokens(text, path);
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    customTags: [...tags],
    logLevel: 'error',
    // Like PyYAML, which takes the last; looking for a second one takes quadratic time.
    uniqueKeys: false,
  });
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new MlferryError('SOURCE_ITEM', `${path} is not valid YAML: ${problem.message.split('\n')[0]}`);
  }
  try {
    return document.toJS();
  } catch (error) {
    // Anchors that stand for more and more of each other.
    const reason = error instanceof Error ? error.message : String(error);
    throw new MlferryError('SOURCE_ITEM', `${path} cannot be read: ${reason}`, { cause: error });
  }
}

/** Longest `meta.yaml` of an experiment, run or model; one of a dataset may hold a whole profile (bytes). */
const MOST = 2 ** 20;
export const MOST_OF_DATASET = 20 * 2 ** 20;
/** Most tokens; MLflow's own files have some hundred, and some thousand take as long to parse as a Ctrl-C may wait. */
const MOST_TOKENS = 10_000;
/** Most uses of an anchor: each is looked for in all of the document. MLflow's own files have none. */
const MOST_ALIASES = 100;

/**
 * The time and memory that parsing takes grows with tokens, not with characters, and finding the tokens takes next to
 * nothing. Throws SOURCE_ITEM naming `path`.
 */
function expectFewTokens(text: string, path: string): void {
  let tokens = 0;
  let aliases = 0;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    if (token.startsWith('*')) aliases += 1;
    if (tokens > MOST_TOKENS || aliases > MOST_ALIASES)
      throw new MlferryError('SOURCE_ITEM', `${path} is no file of MLflow: too much stands in it`);
  }
}

/**
 * Reads and parses a YAML file. MLflow truncates a file before it rewrites it, so an empty one is read again, twice.
 * Throws the system error when the file is not there, SOURCE_ITEM when it has more than `most` bytes.
 */
export async function readMetaYaml(path: string, most = MOST, tags?: readonly ScalarTag[]): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    // Files are read at once, for there are so many small ones; among thousands of them a Ctrl-C must be heard.
    await setImmediate();
    const text = decodeUtf8(readSmallFile(path, most));
    if (text === undefined) throw new MlferryError('SOURCE_ITEM', `${path} is not UTF-8`);
    const value = parseMetaYaml(text, path, tags);
    if (value !== null) return value;
    if (attempt === 3) throw new MlferryError('SOURCE_ITEM', `${path} is empty`);
    await delay(100);
  }
}

// Anything else PyYAML refuses raw, folds, or takes for a line break.
const UNSAFE =
  /["\\]|[^\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/gu;

/** A text as a YAML scalar in double quotes, on one line. */
export function quote(text: string): string {
  const escaped = text.replace(UNSAFE, (char) => {
    if (char === '"' || char === '\\') return `\\${char}`;
    if (char === '\n') return '\\n';
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** A JSON value as YAML on one line; numbers are floats, as all of protobuf's values are. */
export function flowYaml(value: TypedJson): YamlText {
  return { [TEXT]: flow(value) };
}

function flow(value: TypedJson): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (isMap(value)) return `{${[...value].map(([key, item]) => `${quote(key)}: ${flow(item)}`).join(', ')}}`;
  const number = pythonNumber(Number(value.number));
  // PyYAML takes what has no point for a text.
  return number.includes('.') ? number : number.replace('e', '.0e');
}

function lines(value: MetaValue, indent: string): string {
  if (value === null) return ' null\n';
  if (typeof value === 'string') return ` ${quote(value)}\n`;
  if (typeof value !== 'object') return ` ${value}\n`;
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []\n';
    return `\n${value.map((item) => `${indent}-${lines(item, `${indent}  `)}`).join('')}`;
  }
  if (TEXT in value) return ` ${value[TEXT]}\n`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return ' {}\n';
  return `\n${entries.map(([key, item]) => entry(key, item, indent)).join('')}`;
}

function entry(key: string, value: MetaValue, indent: string): string {
  const name =
    /^[a-z_]+$/.test(key) && !/^(?:y|n|yes|no|on|off|true|false|null)$/.test(key) ? key : quote(key);
  // A key of more than 1024 characters must be marked as one.
  const head = name.length > 1000 ? `? ${name}\n${indent}:` : `${name}:`;
  return `${indent}${head}${lines(value, `${indent}  `)}`;
}

/** YAML text that MLflow (PyYAML) and {@link parseMetaYaml} read back to the same values: keys sorted, texts quoted. */
export function formatMetaYaml(fields: { readonly [key: string]: MetaValue }): string {
  return lines(fields, '')
    .replace(/^\n/, '')
    .replace(/^ \{\}/, '{}');
}
