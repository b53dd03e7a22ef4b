import type { ObjectRecord } from '../kinds/kind.ts';
import { type LoggedModel, loggedModel } from '../model/logged-model.ts';
import { toDouble } from '../model/metric-value.ts';
import { linkedPrompts } from '../model/mlflow/linked-prompts.ts';
import { TRACE_NAME_TAG } from '../model/mlflow/tags.ts';
import { metadataOf } from '../model/mlflow/trace-fields.ts';
import {
  type ModelVersion,
  modelVersion,
  type RegisteredModel,
  registeredModel,
} from '../model/registered-model.ts';
import { ownValue } from '../model/string-map.ts';
import { type Trace, trace } from '../model/trace.ts';
import { MlferryError } from '../util/errors.ts';
import { judge } from './evaluate.ts';
import type { Expression, SearchKind, Subject } from './expression.ts';
import { integers, present, storable, type Values } from './subject-values.ts';

type ValuesOf = (subject: Subject) => Values;

/** Whether an object fits an expression of its kind: a condition on what it lacks is false, as with runs. */
export function evaluateObject(expression: Expression, kind: SearchKind, record: ObjectRecord): boolean {
  return judge(expression, valuesIn(kind, record));
}

/** The values of the subjects of a kind in one of its records. */
export function valuesIn(kind: SearchKind, record: ObjectRecord): ValuesOf {
  switch (kind) {
    case 'logged models':
      return modelValues(loggedModel.parse(record));
    case 'registered models':
      return registeredValues(registeredModel.parse(record));
    case 'model versions':
      return versionValues(modelVersion.parse(record));
    case 'traces':
      return traceValues(trace.parse(record));
    default:
      throw new MlferryError('BUG', `${kind} are searched by another function`);
  }
}

const none = (subject: Subject, kind: string): never => {
  throw new MlferryError('BUG', `${kind} have no ${subject.entity} ${subject.key}`);
};

/** A metric of a model fits if it does with any run and dataset. */
function modelValues(model: LoggedModel): ValuesOf {
  const { metrics, params, tags } = model;
  return (subject) => {
    switch (subject.entity) {
      case 'metric':
        return metrics.flatMap(({ key, value }) => (key === subject.key ? storable(toDouble(value)) : []));
      case 'param':
        return present(ownValue(params, subject.key));
      case 'tag':
        return present(ownValue(tags, subject.key));
      default:
        return modelField(model, subject);
    }
  };
}

function modelField(model: LoggedModel, subject: Subject): Values {
  switch (subject.key) {
    case 'name':
    case 'model_id':
    case 'model_type':
    case 'status':
    case 'source_run_id':
    case 'experiment_id':
      return present(model[subject.key]);
    case 'creation_timestamp_ms':
    case 'last_updated_timestamp_ms':
      return integers(model[subject.key]);
    default:
      return none(subject, 'Logged models');
  }
}

function registeredValues(model: RegisteredModel): ValuesOf {
  return (subject) => {
    if (subject.entity === 'tag') return present(ownValue(model.tags, subject.key));
    switch (subject.key) {
      case 'name':
      case 'description':
        return present(model[subject.key]);
      case 'creation_timestamp':
      case 'last_updated_timestamp':
        return integers(model[subject.key]);
      default:
        return none(subject, 'Registered models');
    }
  };
}

function versionValues(version: ModelVersion): ValuesOf {
  return (subject) => {
    if (subject.entity === 'tag') return present(ownValue(version.tags, subject.key));
    switch (subject.key) {
      case 'name':
      case 'run_id':
      case 'status':
      case 'model_id':
      case 'description':
        return present(version[subject.key]);
      case 'source_path':
        return [version.source];
      case 'stage':
        return [version.current_stage];
      case 'alias':
        return version.aliases;
      case 'version_number':
        return [Number(version.version)];
      case 'creation_timestamp':
      case 'last_updated_timestamp':
        return integers(version[subject.key]);
      default:
        return none(subject, 'Model versions');
    }
  };
}

function traceValues(found: Trace): ValuesOf {
  const { tags } = found;
  const metadata = metadataOf(found);
  return (subject) => {
    switch (subject.entity) {
      case 'tag':
        return present(ownValue(tags, subject.key));
      case 'metadata':
        return present(ownValue(metadata, subject.key));
      case 'feedback':
      case 'expectation':
        return assessed(found, subject.entity, subject.key);
      default:
        return traceField(found, subject);
    }
  };
}

function traceField(found: Trace, subject: Subject): Values {
  switch (subject.key) {
    case 'request_id':
      return [found.trace_id];
    case 'status':
      return [found.state];
    case 'name':
      return present(ownValue(found.tags, TRACE_NAME_TAG));
    case 'prompt':
      return linkedPrompts(found.tags).map(({ name, version }) => `${name}/${version}`);
    case 'run_id':
      return [...present(found.source_run_id), ...found.linked_runs.map(({ run_id }) => run_id)];
    case 'client_request_id':
    case 'experiment_id':
    case 'model_id':
      return present(found[subject.key]);
    case 'timestamp_ms':
      return integers(found.request_time);
    case 'execution_time_ms':
      return integers(found.execution_duration);
    case 'end_time_ms':
      return [BigInt(found.request_time) + BigInt(found.execution_duration ?? 0)];
    default:
      return none(subject, 'Traces');
  }
}

/** The values of valid assessments of a name: texts as they are, everything else as JSON. */
function assessed({ assessments }: Trace, entity: 'feedback' | 'expectation', name: string): Values {
  return assessments.flatMap(({ assessment_name, valid, [entity]: found }) =>
    assessment_name === name && valid && found?.value !== undefined ? plain(found.value) : [],
  );
}

function plain(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : json;
  } catch {
    // Python's NaN and Infinity.
    return json;
  }
}
