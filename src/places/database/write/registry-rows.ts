import { DIGEST_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectTarget } from '../../objects.ts';
import { type Cells, type TextTable, workspaceCell } from './rows.ts';
import type { Target } from './target.ts';
import { textFitter } from './text-fitter.ts';

/** The cells that tell a registered model, or one of its versions, in any table of the registry. */
export function ownCells(
  target: Target,
  table: string,
  { name, version }: { name: string; version?: string },
): Cells {
  return [
    ...workspaceCell(target, table),
    ['name', name],
    ...(version === undefined ? [] : [['version', version] as const]),
  ];
}

export function tagsOf(target: Target, table: string, of: { name: string; version?: string }): TextTable {
  return { table, key: 'key', value: 'value', own: ownCells(target, table, of) };
}

/** The tags by which a copy is known. */
export const marksOf = ({ origin, digest }: ObjectTarget): StringMap => ({
  [ORIGIN_TAG]: origin,
  [DIGEST_TAG]: digest,
});

/** A registered model or version on its way. */
export interface RegistryJob {
  readonly target: Target;
  readonly source: ObjectReader;
  readonly copy: ObjectTarget;
  readonly of: FoundObject;
  note(loss: RunLoss): void;
}

/** Throws UNSUPPORTED for texts that name something, or tell where it is, which the columns do not hold as they are. */
export function mustHold(target: Target, table: string, texts: Readonly<Record<string, string>>): void {
  const { holds } = textFitter(target, '');
  for (const [column, text] of Object.entries(texts)) {
    if (holds(table, column, text)) continue;
    throw new MlferryError(
      'UNSUPPORTED',
      `The database cannot hold this ${column}: ${JSON.stringify(text)}`,
      {
        hint: 'It is too long, or has characters that the database does not take.',
      },
    );
  }
}

/** The failure of a name or number that the database has for something else. */
export function refused(object: string, reason: string, name: string): MlferryError {
  return new MlferryError('REFUSED', `${object} ${reason}: it was left as it is`, {
    hint: `Copy it under another name with --rename-model ${JSON.stringify(`${name}=other name`)}, or delete the one on the target.`,
  });
}
