import { relative } from 'node:path';
import type { Findings, Loss } from '../../model/findings.ts';
import { asMlferryError } from '../../util/errors.ts';
import { reasonOf } from './export-file.ts';

/** Where the reading of an export puts what it finds; each thing once, however often it is met. */
export interface Notes {
  /** Something that should be there. */
  fail(object: string, error: unknown, owner?: { readonly run_id?: string }): void;
  /** A file that cannot be read, by its path. */
  failFile(path: string, error: unknown, owner?: { readonly run_id?: string }): void;
  loss(loss: Loss): void;
  /** What exports of some generations never held, told once for all objects. */
  neverHeld(what: string, detail: string): void;
  /** Who may do what, on Databricks: no place takes it. */
  permissions(): void;
  /** A path as people see it: below the export. */
  pathOf(path: string): string;
}

/** Notes on the export in `root`. */
export function createNotes(root: string, findings: Findings): Notes {
  const noted = new Set<string>();
  const once = (key: string, note: () => void) => {
    if (noted.has(key)) return;
    noted.add(key);
    note();
  };
  const loss = (found: Loss) => once(`loss ${JSON.stringify(found)}`, () => findings.loss(found));
  const pathOf = (path: string) => relative(root, path).replaceAll('\\', '/') || '.';
  const fail: Notes['fail'] = (object, thrown, owner = {}) => {
    const error = asMlferryError(thrown, 'SOURCE_ITEM', `it cannot be read: ${reasonOf(thrown)}`);
    const { code, message, hint } = error;
    once(`failure ${object}`, () => findings.failure({ code, object, ...owner, message, hint }));
  };
  return {
    fail,
    failFile: (path, error, owner) => fail(`file ${pathOf(path)}`, error, owner),
    loss,
    neverHeld: (key, detail) => once(`never ${key}`, () => loss({ code: 'NOT_EXPORTED', key, detail })),
    permissions: () =>
      loss({
        code: 'KIND_NOT_HELD',
        key: 'permissions',
        detail: 'Permissions of Databricks are not carried',
      }),
    pathOf,
  };
}
