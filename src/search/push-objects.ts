import type { Comparison, Expression } from './expression.ts';
import { formatComparison } from './format-expression.ts';
import { parseSearch } from './parse-search.ts';
import { conjuncts } from './push-down.ts';

/**
 * What a server is asked of an expression over objects: never more than holds for all that fit, because what comes back is judged
 * again here. `undefined`: nothing.
 */
function pushed(
  text: string | undefined,
  kind: 'traces' | 'logged models',
  serves: (term: Comparison) => string | undefined,
) {
  const terms = conjuncts(text === undefined ? undefined : parseSearch(text, kind));
  const served = terms.flatMap((term: Expression) =>
    term.type === 'comparison' ? (serves(term) ?? []) : [],
  );
  return served.length === 0 ? undefined : served.join(' AND ');
}

const PLAIN_KEY = /^[A-Za-z]\w*(?:\.\w+)*$/;
const PLAIN_TEXT = /^[^'"`\\\0]*$/;

/** MLflow takes a tag or metadata of these names for a field (SearchTraceUtils._replace_key_to_tag_or_metadata), and treats its own in ways of their own. */
const MISREAD = /^(?:name|prompt|run_id|text|timestamp|execution_time|end_time|mlflow\..*)$/i;
const TRACE_NUMBERS = ['timestamp_ms', 'execution_time_ms'];
const TRACE_TEXTS = ['request_id', 'status', 'name', 'client_request_id'];

/** Of an expression over traces what servers of MLflow 3.3 and newer understand. */
export function pushTraceFilter(text: string | undefined): string | undefined {
  return pushed(text, 'traces', (term) => {
    const { entity, key } = term.subject;
    const isNumber = entity === 'attribute' && TRACE_NUMBERS.includes(key);
    const isText =
      (entity === 'attribute' && TRACE_TEXTS.includes(key)) ||
      ((entity === 'tag' || entity === 'metadata') && PLAIN_KEY.test(key) && !MISREAD.test(key));
    switch (term.operator) {
      case '=':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
        if (isNumber && Number.isSafeInteger(term.value)) return formatComparison(term);
        return isText && typeof term.value === 'string' && PLAIN_TEXT.test(term.value)
          ? formatComparison(term)
          : undefined;
      default:
        return undefined;
    }
  });
}

const MODEL_TEXTS = ['name', 'model_id', 'model_type', 'source_run_id'];

/** The same over logged models: equal texts, which MLflow takes in single quotes only. */
export function pushModelFilter(text: string | undefined): string | undefined {
  return pushed(text, 'logged models', (term) => {
    const { entity, key } = term.subject;
    if (term.operator !== '=' || typeof term.value !== 'string' || !PLAIN_TEXT.test(term.value))
      return undefined;
    const isKey = (entity === 'tag' || entity === 'param') && PLAIN_KEY.test(key);
    const isField = entity === 'attribute' && MODEL_TEXTS.includes(key);
    return isKey || isField ? formatComparison(term) : undefined;
  });
}
