import fc from 'fast-check';
import {
  CONTEXTS,
  DATASET_NAMES,
  DIGESTS,
  KEYS,
  MISSING_KEY,
  NUMBERS,
  STATUSES,
  TEXTS,
  TIMES,
  USERS,
} from './workspace-values.ts';

/** Generated texts of search expressions: what MLflow's servers accept, and what they nearly do. */

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const join = (...parts: Array<fc.Arbitrary<string> | string>) =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((texts) => texts.join(''));

const anyCase = (word: string) =>
  fc
    .nat(3)
    .map((n) => (n === 0 ? word.toLowerCase() : n === 1 ? word[0] + word.slice(1).toLowerCase() : word));

const space = pick(' ', ' ', ' ', '  ', '\n', '\t');
const gap = pick('', ' ', ' ', '  ');

const key = pick(...KEYS, MISSING_KEY).chain((name) => {
  const isBare = /^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(name);
  return pick(...(isBare ? [name, name] : []), `\`${name}\``, `"${name}"`, `'${name}'`);
});

/** A value in the quotes that can hold it; where none can, another value. */
const quoted = (values: readonly string[]) =>
  pick(...values).chain((value) => {
    const quotes = ["'", '"'].filter((quote) => !value.includes(quote));
    return quotes.length === 0 ? fc.constant("''") : pick(...quotes).map((quote) => quote + value + quote);
  });

/** Parts of values with wildcards between and around. */
const patterns = fc
  .array(pick('%', '_', 'a', 'A', 'b', 'c', 'abc', 'é', '日', '\\', '.', 'x', '%', 'k', "it''s", '\n'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''));
const pattern = fc.oneof(
  quoted(TEXTS),
  patterns.map((text) => `"${text}"`),
  patterns.map((text) => `'${text}'`),
);

const entity = (...names: readonly string[]) =>
  fc.oneof(
    { weight: 8, arbitrary: pick(...names) },
    { weight: 1, arbitrary: pick(...names).map((name) => `\`${name}\``) },
  );

const order = pick('=', '!=', '<', '<=', '>', '>=');
const equality = pick('=', '!=');
const like = fc.oneof(anyCase('LIKE'), anyCase('ILIKE'));

const number = pick(...NUMBERS, '1e400', '-1E400', '1.', '.5', '-.5', '1e-5', '1E5', '0e0', '-0', '00');
const integer = pick(...TIMES.map(String), '-5', '1700000000000', '9223372036854775807');

const textCondition = (subject: fc.Arbitrary<string>, values: readonly string[]) =>
  fc.oneof(
    join(subject, gap, equality, gap, quoted(values)),
    join(subject, space, like, gap, fc.oneof(pattern, quoted(values))),
  );

const list = (values: readonly string[]) =>
  join(
    fc.oneof(anyCase('IN'), join(anyCase('NOT'), ' ', anyCase('IN'))),
    gap,
    '(',
    fc.array(quoted(values), { minLength: 1, maxLength: 3 }).map((texts) => texts.join(', ')),
    pick('', '', '', ',', ' '),
    ')',
  );

const nullity = fc.oneof(anyCase('IS NULL'), anyCase('IS NOT NULL'));

const params = join(entity('param', 'params', 'parameter', 'parameters'), '.', key);
const tags = join(entity('tag', 'tags'), '.', key);
const attribute = (...names: readonly string[]) =>
  fc.oneof(pick(...names), join(entity('attribute', 'attributes', 'attr', 'run'), '.', pick(...names)));
const quotedAttribute = join(
  entity('attribute', 'attributes', 'attr', 'run'),
  '.',
  pick('"run name"', '`Run name`', '"Run Name"'),
);
const dataset = (name: string) => join(entity('dataset', 'datasets'), '.', name);

/** Conditions on runs; `runIds` are ids of the workspace. Old servers know no IS NULL. */
export function runCondition(runIds: readonly string[], isOld = false): fc.Arbitrary<string> {
  const ids = [...runIds, 'f'.repeat(32)];
  const metrics = join(entity('metric', 'metrics'), '.', key);
  return fc.oneof(
    { weight: 5, arbitrary: join(metrics, gap, order, gap, number) },
    { weight: 4, arbitrary: textCondition(params, TEXTS) },
    { weight: 4, arbitrary: textCondition(tags, TEXTS) },
    { weight: isOld ? 0 : 1, arbitrary: join(fc.oneof(params, tags), space, nullity) },
    { weight: 2, arbitrary: textCondition(fc.oneof(attribute('run_name'), quotedAttribute), TEXTS) },
    { weight: 1, arbitrary: textCondition(attribute('status'), [...STATUSES, 'finished', '%ED']) },
    { weight: 1, arbitrary: textCondition(attribute('user_id'), [...USERS, 'u%']) },
    {
      weight: 1,
      arbitrary: textCondition(attribute('run_id'), [...ids, ...ids.map((id) => `${id.slice(0, 2)}%`)]),
    },
    {
      weight: 1,
      arbitrary: textCondition(attribute('artifact_uri'), ['', '%/artifacts', 'mlflow-artifacts:%']),
    },
    {
      weight: 1,
      arbitrary: join(
        attribute('run_id'),
        space,
        list([...ids, ...ids.slice(0, 3).map((id) => id.toUpperCase())]),
      ),
    },
    {
      weight: 2,
      arbitrary: join(attribute('start_time', 'end_time', 'created', 'Created'), gap, order, gap, integer),
    },
    ...(
      [
        ['name', DATASET_NAMES],
        ['digest', DIGESTS],
        ['context', CONTEXTS],
      ] as const
    ).map(([name, values]) => ({
      weight: 1,
      arbitrary: fc.oneof(
        textCondition(dataset(name), values),
        join(dataset(name), space, list([...values, 'none'])),
      ),
    })),
  );
}

/** Conditions on experiments. Old servers know neither experiment_id nor IS NULL. */
export function experimentCondition(ids: readonly string[], isOld = false): fc.Arbitrary<string> {
  const names = ['exp one', 'Exp One', 'exp%_x', 'Default', 'exp%'];
  const own = (name: string) => fc.oneof(fc.constant(name), join(pick('attribute'), '.', name));
  const tags = join(pick('tag', 'tags'), '.', key);
  return fc.oneof(
    textCondition(own('name'), names),
    join(fc.oneof(own('creation_time'), own('last_update_time')), gap, order, gap, integer),
    textCondition(tags, TEXTS),
    ...(isOld
      ? []
      : [
          join(own('experiment_id'), gap, equality, gap, quoted([...ids, '0', '00', '77'])),
          join(own('experiment_id'), space, list([...ids, '0'])),
          join(tags, ' ', nullity),
        ]),
  );
}

/** One to four conditions, joined as MLflow lets them be joined. */
export function conjunction(condition: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const and = anyCase('AND');
  const idle = (text: string) =>
    fc.oneof({ weight: 12, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constant(text) });
  const glue = fc.oneof(
    { weight: 8, arbitrary: join(space, and, space) },
    { weight: 1, arbitrary: space },
    { weight: 1, arbitrary: fc.constant(' AND AND ') },
  );
  return fc
    .tuple(
      fc.oneof(
        fc.tuple(fc.tuple(condition, glue)),
        fc.array(fc.tuple(condition, glue), { minLength: 2, maxLength: 4 }),
      ),
      idle('AND '),
      idle(' and'),
    )
    .map(([parts, before, after]) => {
      const last = parts.length - 1;
      return (
        before +
        parts.map(([text, between], index) => text + (index === last ? '' : between)).join('') +
        after
      );
    });
}

const PIECES = [
  ...[
    'metrics',
    'params',
    'tags',
    'attributes',
    'dataset',
    'run',
    'attribute',
    'tag',
    'x',
    '.',
    '.',
    '.',
    'acc',
    'a',
  ],
  ...[
    'status',
    'run_id',
    'start_time',
    'created',
    'name',
    'run_name',
    '=',
    '!=',
    '<',
    '>',
    '>=',
    '==',
    '<>',
    'LIKE',
  ],
  ...[
    'ilike',
    'IN',
    'NOT',
    'IS',
    'NULL',
    'AND',
    'OR',
    'and',
    '(',
    ')',
    ',',
    "'a'",
    '"a"',
    '`a`',
    "'it''s'",
    '``',
    "''",
  ],
  ...[
    '1',
    '-1',
    '0.5',
    '1e5',
    '1e400',
    ' ',
    ' ',
    ' ',
    '\n',
    ';',
    '--',
    '/*',
    '*/',
    '\\',
    "'",
    '"',
    '`',
    '-',
    '+',
    '*',
  ],
  ...[
    '%',
    '#',
    '$',
    '@',
    '[',
    ']',
    '::',
    ':=',
    'AS',
    'ASC',
    'DESC',
    'CASE',
    'END',
    'MIN',
    'COUNT',
    'é',
    '日',
    '\u{1F600}',
  ],
];

/** Pieces of expressions in any order. */
export const tokenSoup = fc.array(pick(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join(''));

/** A text with one thing wrong: a piece put in, characters dropped, doubled or exchanged. */
export function nearly(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(text, fc.nat(), fc.nat(4), fc.nat(3), pick(...PIECES))
    .map(([whole, at, kind, length, piece]) => {
      const place = at % (whole.length + 1);
      const [left, right] = [whole.slice(0, place), whole.slice(place)];
      if (kind <= 1) return left + piece + right;
      if (kind === 2) return left + right.slice(length + 1);
      if (kind === 3) return left + right.slice(0, length + 1) + right;
      return left + piece + right.slice(length + 1);
    });
}

const orderable = fc.oneof(
  join(entity('metric', 'metrics'), '.', key),
  params,
  tags,
  attribute('run_id', 'run_name', 'status', 'user_id', 'artifact_uri', 'start_time', 'end_time', 'created'),
);

/** Columns to order runs by, none twice. */
export const orderBy = fc.array(
  join(
    // MLflow strips keys with spaces at their ends here, and knows no single quotes.
    orderable.map((text) => text.replace(' edge ', 'acc').replaceAll("'", '"')),
    fc.oneof(fc.constant(''), join(space, fc.oneof(anyCase('ASC'), anyCase('DESC')))),
  ),
  { maxLength: 3 },
);
