import type { ModelVersion } from '../model/registered-model.ts';
import { rowsText } from './fields-text.ts';

/** The versions of registered models as a table. */
export function versionsText(versions: readonly ModelVersion[], width: number | undefined): string {
  return rowsText(
    ['name', 'version', 'stage', 'aliases'],
    versions.map(({ name, version, current_stage, aliases }) => [
      name,
      version,
      current_stage,
      aliases.join(' '),
    ]),
    width,
  );
}
