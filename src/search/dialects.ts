import type { Aggregate } from './expression.ts';

/** What a server's search understands of a filter, beyond comparisons joined by AND. */
export interface Dialect {
  /** For people: `MLflow 3.6.0`. */
  readonly name: string;
  /** Functions over a metric's history. Every server compares a metric by its latest value. */
  readonly aggregates: readonly Aggregate[];
  /** `LIKE` and `ILIKE`, as SQL has them. */
  readonly patterns: boolean;
  /** `IN` and `NOT IN`: for the attribute run_id and for datasets. */
  readonly lists: boolean;
  readonly datasets: boolean;
  /** `IS NULL` and `IS NOT NULL`: for params and tags. */
  readonly nullTests: boolean;
  /** A latest value of NaN satisfies `!=` whatever it is compared with; else it is taken for 0. */
  readonly nanIsUnequal: boolean;
  /** Start times are sorted as mlferry does. */
  readonly sorts: boolean;
  /** Most experiments in one search. */
  readonly experiments: number;
}

/** What the server at hand is, as far as its dialect depends on it. */
export interface DialectFacts {
  readonly databricks: boolean;
  /** MLflow's version, as numbers: 3.6.1 is [3, 6, 1]. Undefined when unknown. */
  readonly version: readonly number[] | undefined;
  /** Whether its store is a database; a FileStore server has patterns and an order of its own. */
  readonly database: boolean;
}

/** Databricks' documented search. LIKE and IN are not in its documentation and stay here. */
const DATABRICKS: Dialect = {
  name: 'Databricks',
  aggregates: ['MIN', 'MAX', 'LATEST'],
  patterns: false,
  lists: false,
  datasets: false,
  nullTests: false,
  nanIsUnequal: false,
  sorts: false,
  experiments: 100,
};

/**
 * The version from which a server may have IS NULL and NaN apart from 0: 3.6 has neither, 3.17 has both (read in their
 * source), and no release between says which brought them. A server in between that refuses IS NULL is asked again
 * without it.
 */
const MAYBE_NULL_TESTS = [3, 7];
const SURE_NAN = [3, 17];

/** The dialect of a server: what is not known to be understood is left out. */
export function dialectOf({ databricks, version, database }: DialectFacts): Dialect {
  if (databricks) return DATABRICKS;
  return {
    name: version === undefined ? 'MLflow of unknown version' : `MLflow ${version.join('.')}`,
    aggregates: [],
    patterns: database,
    lists: true,
    datasets: true,
    nullTests: version === undefined || compareVersions(version, MAYBE_NULL_TESTS) >= 0,
    nanIsUnequal: version !== undefined && compareVersions(version, SURE_NAN) >= 0,
    // What tells no version may be no MLflow.
    sorts: database && version !== undefined,
    experiments: version === undefined ? 1 : 1000,
  };
}

/** The next dialect to try when a server refuses a filter in this one; undefined when nothing is left to give up. */
export function weaker(dialect: Dialect): Dialect | undefined {
  if (dialect.nullTests) return { ...dialect, nullTests: false };
  if (dialect.aggregates.length > 0) return { ...dialect, aggregates: [] };
  return undefined;
}

function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (const [index, wanted] of b.entries()) {
    const difference = (a[index] ?? 0) - wanted;
    if (difference !== 0) return difference;
  }
  return 0;
}
