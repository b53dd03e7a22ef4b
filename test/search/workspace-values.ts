/**
 * What the runs of a search workspace are made of and what generated expressions ask for: few keys and values, each
 * there for a reason, so that conditions hit often and hit odd cases.
 */

/** MLflow lets metrics, params and tags have letters, digits, `_-./:` and spaces in their keys. */
export const KEYS = [
  'acc',
  'Acc',
  'a b',
  'a.b',
  'a/b-c:d',
  'ünï 日本',
  ' edge ',
  '0',
  'and',
  'mlflow.note.content',
];

/** A key that no run has. */
export const MISSING_KEY = 'nowhere';

export const TEXTS = [
  '',
  'a',
  'A',
  'abc',
  'ABC',
  'a%c',
  'a_c',
  'axc',
  '%',
  '_',
  'a\\c',
  'a\\',
  "it's",
  "it''s",
  'say "x"',
  '`tick`',
  'é',
  'É',
  'ß',
  '日本',
  '\u{1F600}',
  '\u212A',
  '0.5',
  '0.50',
  '5',
  ' a',
  'a ',
  'a\nb',
  'NULL',
  'tree (big) [x] ^$.*+?|',
];

export const NUMBERS = [
  ...[
    '0',
    '1',
    '-1',
    '0.5',
    '-0.5',
    '2',
    '3.25',
    '1e308',
    '1.7976931348623157e308',
    '-1.7976931348623157e308',
  ],
  ...['5e-324', '1e-5', '0.30000000000000004', '0.3', '1234567890123', '9007199254740993'],
];

export const METRIC_VALUES: ReadonlyArray<number | 'NaN' | 'Infinity' | '-Infinity'> = [
  ...(['NaN', 'Infinity', '-Infinity'] as const),
  ...NUMBERS.map(Number),
  -0,
];

export const STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;
export const USERS = ['', 'user', 'User', 'ü ser'];
/** Milliseconds; few, so that runs tie. */
export const TIMES = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 1_700_000_005_000];
export const DATASET_NAMES = ['train', 'Train', 'a b', '日本'];
export const DIGESTS = ['d1', 'D1', 'x%y'];
export const CONTEXTS = ['training', 'Training', "it's"];
