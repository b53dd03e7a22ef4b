/** Parts that objects of the further kinds make, as the table of kinds gives them. */
export const OBJECT_WORDS = [
  'models',
  'registry',
  'prompts',
  'traces',
  'scorers',
  'datasets',
  'webhooks',
  'gateway',
] as const;

/** The words of `--only` and `--without`. */
export const PART_WORDS = [...OBJECT_WORDS, 'metrics', 'artifacts'] as const;
