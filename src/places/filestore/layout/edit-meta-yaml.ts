import { isScalar, parseDocument } from 'yaml';
import { MlferryError } from '../../../util/errors.ts';
import { quote } from './meta-yaml.ts';

/** A field by the keys that lead to it, and the text or integer it becomes. */
export type MetaEdit = readonly [keys: readonly string[], value: string | bigint];

/**
 * YAML text in which some fields have another value; every other byte stays, so what mlferry does not know of a file is
 * kept. Fields that are not there are not added. Throws SOURCE_ITEM naming `path`.
 */
export function editMetaYaml(text: string, path: string, edits: readonly MetaEdit[]): string {
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    logLevel: 'error',
    uniqueKeys: false,
  });
  const problem = document.errors[0];
  if (problem !== undefined)
    throw new MlferryError('SOURCE_ITEM', `${path} is not valid YAML: ${problem.message.split('\n')[0]}`);
  const places = edits.flatMap(([keys, value]) => {
    const node = document.getIn(keys, true);
    const range = isScalar(node) ? node.range : undefined;
    const written = typeof value === 'bigint' ? String(value) : quote(value);
    return range === undefined || range === null ? [] : [{ start: range[0], end: range[1], written }];
  });
  // From the end, so that what stands before keeps its place.
  return places
    .sort((a, b) => b.start - a.start)
    .reduce((done, { start, end, written }) => done.slice(0, start) + written + done.slice(end), text);
}
