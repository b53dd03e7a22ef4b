import type { LocationText } from '../location-text.ts';
import { isExport } from './layout.ts';

/** A directory of an export. */
export interface ExportLocation {
  readonly path: string;
}

/** A directory that holds what mlflow-export-import writes. */
export function exportLocation({ path }: LocationText): ExportLocation | undefined {
  return path !== undefined && isExport(path) ? { path } : undefined;
}
