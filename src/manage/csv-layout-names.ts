/** The names of the CSV layouts; csv-layouts.ts says what they hold. */
export const CSV_LAYOUTS = ['databricks', 'mlflow', 'tidy'] as const;
export type CsvLayout = (typeof CSV_LAYOUTS)[number];
