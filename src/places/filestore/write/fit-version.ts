import { join } from 'node:path';
import { hasSameSource } from '../../../kinds/model-registry.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import { fileUri } from '../layout/file-uri.ts';
import { registryOf, versionDirectory } from '../layout/registry-files.ts';

/** Where files stand that come along with a version. */
export function ownFilesOf(root: string, { name, version }: ModelVersion): string {
  return join(registryOf(root), name, versionDirectory(version), 'artifacts');
}

/** What a version in a store must look like. Where its files are is told by more than one URI. */
export function representVersion(
  root: string,
  wanted: ModelVersion,
  present: ModelVersion,
): { readonly record: ModelVersion; readonly losses: readonly RunLoss[] } {
  const own = `${fileUri(root)}/models/`;
  const same = hasSameSource(wanted, present) || present.source.startsWith(own);
  return { record: same ? { ...wanted, source: present.source } : wanted, losses: [] };
}
