import fc from 'fast-check';

/** A way to spoil bytes, as data, so that a failing case can be shrunk and read. */
export type Mutation =
  | { readonly how: 'cut'; readonly from: number; readonly to: number }
  | { readonly how: 'flip'; readonly bit: number }
  | { readonly how: 'repeat' | 'move'; readonly from: number; readonly to: number; readonly at: number }
  | { readonly how: 'insert' | 'overwrite'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly how: 'append'; readonly bytes: Uint8Array };

const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc
    .constantFrom('\n', '{}\n', 'null\n', '{"kind":"end"}\n', '\0'.repeat(512), '\0'.repeat(1024))
    .map((text) => Uint8Array.from(Buffer.from(text))),
);

/** Mutations of some bytes; places are fractions of their length, sometimes whole blocks of 512. */
export function mutationsOf(length: number): fc.Arbitrary<Mutation[]> {
  const place = fc
    .tuple(fc.nat({ max: length }), fc.constantFrom(1, 1, 512))
    .map(([at, unit]) => at - (at % unit));
  const range = fc.tuple(place, place).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
  const mutation: fc.Arbitrary<Mutation> = fc.oneof(
    range.map((cut) => ({ how: 'cut' as const, ...cut })),
    fc.nat({ max: length * 8 - 1 }).map((bit) => ({ how: 'flip' as const, bit })),
    fc
      .tuple(fc.constantFrom('repeat' as const, 'move' as const), range, place)
      .map(([how, part, at]) => ({ how, ...part, at })),
    fc
      .tuple(fc.constantFrom('insert' as const, 'overwrite' as const), place, anyBytes)
      .map(([how, at, bytes]) => ({ how, at, bytes })),
    anyBytes.map((bytes) => ({ how: 'append' as const, bytes })),
  );
  return fc.array(mutation, { minLength: 1, maxLength: 3 });
}

/** The bytes after these mutations. */
export function mutated(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  return mutations.reduce(apply, bytes);
}

function apply(bytes: Buffer, mutation: Mutation): Buffer {
  switch (mutation.how) {
    case 'cut':
      return Buffer.concat([bytes.subarray(0, mutation.from), bytes.subarray(mutation.to)]);
    case 'flip': {
      const copy = Buffer.from(bytes);
      const at = mutation.bit >> 3;
      if (at < copy.length) copy.writeUInt8(copy.readUInt8(at) ^ (1 << (mutation.bit & 7)), at);
      return copy;
    }
    case 'repeat':
      return splice(bytes, mutation.at, 0, bytes.subarray(mutation.from, mutation.to));
    case 'move': {
      const rest = Buffer.concat([bytes.subarray(0, mutation.from), bytes.subarray(mutation.to)]);
      return splice(rest, mutation.at, 0, bytes.subarray(mutation.from, mutation.to));
    }
    case 'insert':
      return splice(bytes, mutation.at, 0, mutation.bytes);
    case 'overwrite':
      return splice(bytes, mutation.at, mutation.bytes.length, mutation.bytes);
    case 'append':
      return Buffer.concat([bytes, mutation.bytes]);
  }
}

function splice(bytes: Buffer, at: number, removed: number, added: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

/** A way to spoil record lines that leaves them lines. */
export type LineMutation =
  | { readonly how: 'token'; readonly line: number; readonly token: number; readonly text: string }
  | { readonly how: 'copyToken'; readonly line: number; readonly token: number; readonly other: number }
  | { readonly how: 'drop'; readonly line: number }
  | { readonly how: 'double' | 'swap'; readonly line: number; readonly other: number }
  | { readonly how: 'add'; readonly line: number; readonly text: string };

const ODD_TOKENS = [
  ...['null', 'true', '-1', '0', '-0', '1e999', '-1e-999', '9007199254740993', '1.5', '""', '[]', '{}'],
  ...[
    '"__proto__"',
    '"constructor"',
    '"../x"',
    '"/etc/x"',
    '"C:/x"',
    '"a\\\\..\\\\b"',
    '"nul\\u0000"',
    '"."',
  ],
  ...['"NaN"', '"Infinity"', '"9223372036854775808"', '"\\ud800"', '"kind"', '"end"', '"run"', '"artifact"'],
  ...['[[[[[[[[]]]]]]]]', '{"__proto__":{"kind":"end"}}', '{"a":{"b":{"c":[]}}}', '"\\u2028"', '"active"'],
  `"${'x'.repeat(5000)}"`,
  '['.repeat(20_000) + ']'.repeat(20_000),
];
const ODD_LINES = [
  ...['{}', 'null', '[]', '{"kind":"end"}', '{"kind":"trace"}', '{"kind":"header"}', '{"__proto__":null}'],
  '{"kind":"end","experiments":0,"runs":0,"points":0,"artifacts":0,"bytes":0,"sha256":"00"}',
  '{"kind":"metrics","run_id":"none","key":"k","points":[[0,0,0]]}',
  '{"kind":"artifact","run_id":"none","path":"a","size":0}',
];

/** Mutations of record lines. */
export const lineMutations: fc.Arbitrary<LineMutation[]> = (() => {
  const line = fc.nat({ max: 40 });
  const token = fc.nat({ max: 80 });
  const mutation: fc.Arbitrary<LineMutation> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        how: fc.constant('token' as const),
        line,
        token,
        text: fc.oneof(
          fc.constantFrom(...ODD_TOKENS),
          fc.json({ maxDepth: 2 }).map((text) => text.replaceAll('\n', ' ')),
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ how: fc.constant('copyToken' as const), line, token, other: token }),
    },
    { weight: 1, arbitrary: fc.record({ how: fc.constant('drop' as const), line }) },
    {
      weight: 2,
      arbitrary: fc.record({
        how: fc.constantFrom('double' as const, 'swap' as const),
        line,
        other: line,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        how: fc.constant('add' as const),
        line,
        text: fc.constantFrom(...ODD_LINES),
      }),
    },
  );
  return fc.array(mutation, { minLength: 1, maxLength: 3 });
})();

/** Strings, numbers, words and brackets of a JSON text, keys too. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\w+|[[\]{}:,]/g;

/** The lines after these mutations. */
export function mutatedLines(lines: readonly Buffer[], mutations: readonly LineMutation[]): Buffer[] {
  const all = lines.map(String);
  for (const mutation of mutations) {
    const at = mutation.line % Math.max(1, all.length);
    const text = all[at] ?? '\n';
    switch (mutation.how) {
      case 'token':
        all[at] = withToken(text, mutation.token, mutation.text);
        break;
      case 'copyToken':
        all[at] = withToken(text, mutation.token, tokenOf(text, mutation.other));
        break;
      case 'drop':
        all.splice(at, 1);
        break;
      case 'double':
        all.splice(mutation.other % (all.length + 1), 0, text);
        break;
      case 'swap': {
        const other = mutation.other % Math.max(1, all.length);
        [all[at], all[other]] = [all[other] ?? '\n', text];
        break;
      }
      case 'add':
        all.splice(at, 0, `${mutation.text}\n`);
    }
  }
  return all.map((text) => Buffer.from(text));
}

function tokenOf(text: string, number: number): string {
  const tokens = text.match(TOKEN) ?? ['null'];
  return tokens[number % tokens.length] ?? 'null';
}

function withToken(text: string, number: number, replacement: string): string {
  const tokens = [...text.matchAll(TOKEN)];
  const token = tokens[number % Math.max(1, tokens.length)];
  if (token === undefined) return text;
  return text.slice(0, token.index) + replacement + text.slice(token.index + token[0].length);
}
