/**
 * A search expression as a tree: what `parseSearch` makes, `evaluate` judges and the push-down splits. The words are
 * those of MLflow's search grammar; `or`, `not` and the aggregates are not in it.
 */
export type Expression =
  | { readonly type: 'and' | 'or'; readonly terms: readonly Expression[] }
  | { readonly type: 'not'; readonly term: Expression }
  | Comparison;

/** What is compared: a metric by its latest value unless an aggregate over its history is named. */
export type Subject =
  | { readonly entity: 'metric'; readonly key: string; readonly aggregate?: Aggregate }
  | { readonly entity: 'param' | 'tag'; readonly key: string }
  /** Of traces. */
  | { readonly entity: 'metadata' | 'feedback' | 'expectation'; readonly key: string }
  /** `key` is MLflow's own name of the field (`start_time`, not `created`). */
  | { readonly entity: 'attribute'; readonly key: string }
  | { readonly entity: 'dataset'; readonly key: 'name' | 'digest' | 'context' };

/** What an expression is about. */
export type SearchKind =
  | 'runs'
  | 'experiments'
  | 'logged models'
  | 'registered models'
  | 'model versions'
  | 'traces';

/** `MIN`, `MAX` and `LATEST` are Databricks' words, `FIRST` and `COUNT` our own. */
export type Aggregate = 'MIN' | 'MAX' | 'LATEST' | 'FIRST' | 'COUNT';

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** One condition. `position` is its place in the text, counted in UTF-16 units from 0. */
export type Comparison = {
  readonly type: 'comparison';
  readonly subject: Subject;
  readonly position: number;
} /** Numbers for metrics, aggregates and times (bigint beyond 2^53), text for everything else. */ & (
  | { readonly operator: ComparisonOperator; readonly value: number | bigint | string }
  | { readonly operator: 'LIKE' | 'ILIKE'; readonly value: string }
  | { readonly operator: 'IN' | 'NOT IN'; readonly value: readonly string[] }
  | { readonly operator: 'IS NULL' | 'IS NOT NULL' }
);

/** One column of an order, as in MLflow's `order_by`. */
export interface Order {
  readonly subject: Subject;
  readonly direction: 'ASC' | 'DESC';
}
