import { PROMPT_TAG } from '../../model/mlflow/tags.ts';
import type { RegisteredModel } from '../../model/registered-model.ts';
import { ownValue } from '../../model/string-map.ts';
import type { Catalogue } from './catalogue.ts';
import type { Notes } from './notes.ts';
import { isVersionTag, readPromptFile } from './prompt-file.ts';
import { type ExportedVersion, readModelFile, readVersionFile } from './registry-files.ts';

/** A registered model or prompt and its versions by number, in ascending order. */
export interface RegisteredContents {
  readonly model: RegisteredModel;
  readonly versions: readonly ExportedVersion[];
}

interface Entry {
  /** Absent where only versions were exported, as of prompts. */
  model?: RegisteredModel;
  readonly versions: Map<string, ExportedVersion>;
  readonly aliases: Map<string, string>;
}

/**
 * The registry of an export, by name: of all its files, which may tell of one model more than once. Versions stand in them in the
 * order of texts (1, 10, 2).
 */
export function readRegistry({ files }: Catalogue, notes: Notes): readonly RegisteredContents[] {
  const entries = new Map<string, Entry>();
  const each = (part: Parameters<typeof files.get>[0], read: (path: string) => void) => {
    for (const path of files.get(part) ?? []) {
      try {
        read(path);
      } catch (error) {
        notes.failFile(path, error);
      }
    }
  };
  const addVersion = (version: ExportedVersion) => {
    const { name } = version.record;
    const entry: Entry = entries.get(name) ?? { versions: new Map(), aliases: new Map() };
    entries.set(name, entry);
    if (!entry.versions.has(version.record.version)) entry.versions.set(version.record.version, version);
  };
  each('registered model', (path) => {
    const { record, versions, aliases, failed, hasPermissions } = readModelFile(path, notes.fail);
    const entry: Entry = entries.get(record.name) ?? { versions: new Map(), aliases: new Map() };
    entry.model ??= record;
    entries.set(record.name, entry);
    for (const version of versions) addVersion(version);
    for (const { alias, version } of aliases) entry.aliases.set(alias, version);
    if (hasPermissions) notes.permissions();
    if (failed > 0) {
      const of = { kind: 'registered_model', id: record.name };
      const detail = `Versions that could not be exported, as ${notes.pathOf(path)} says`;
      notes.loss({ code: 'NOT_EXPORTED', left_behind: true, of, count: failed, detail });
    }
  });
  each('model version', (path) => addVersion(readVersionFile(path)));
  each('prompt', (path) => {
    addVersion(readPromptFile(path));
    notes.neverHeld(
      'prompts',
      'An export does not hold aliases, response formats and model configurations of prompts, nor tags of a prompt as a whole',
    );
  });
  return [...entries].sort(byName).map(([name, { model, versions, aliases }]) => {
    for (const [alias, version] of aliases) {
      if (versions.has(version)) continue;
      const of = { kind: 'registered_model', id: name };
      const detail = `The alias is of version ${version}, which is not in the export`;
      notes.loss({ code: 'NOT_EXPORTED', left_behind: true, of, key: alias, detail });
    }
    const all = [...versions.values()].sort((a, b) => Number(a.record.version) - Number(b.record.version));
    return {
      model: model ?? madeOf(name, all),
      versions: all.map((version) => ({ ...version, record: withAliases(version.record, aliases) })),
    };
  });
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

/**
 * A registered model of which only versions are told. MLflow gives a prompt the tags of all its versions, and the description of
 * the first (`register_prompt`, 3.6).
 */
function madeOf(name: string, versions: readonly ExportedVersion[]): RegisteredModel {
  const [first, last] = [versions[0]?.record, versions.at(-1)?.record];
  const isPrompt = first !== undefined && ownValue(first.tags, PROMPT_TAG) === 'true';
  return {
    kind: 'registered_model',
    name,
    ...(isPrompt && first.description !== undefined ? { description: first.description } : {}),
    creation_timestamp: first?.creation_timestamp ?? 0,
    last_updated_timestamp: last?.last_updated_timestamp ?? 0,
    tags: isPrompt ? promptTags(versions) : {},
  };
}

function promptTags(versions: readonly ExportedVersion[]): RegisteredModel['tags'] {
  const tags = versions.flatMap(({ record }) => Object.entries(record.tags));
  return Object.fromEntries(tags.filter(([key]) => !isVersionTag(key)));
}

function withAliases(record: ExportedVersion['record'], aliases: ReadonlyMap<string, string>) {
  const own = [...aliases].flatMap(([alias, version]) => (version === record.version ? [alias] : []));
  // The model tells where an alias is now; a version that was exported by itself may tell of an earlier time.
  const told = record.aliases.filter((alias) => (aliases.get(alias) ?? record.version) === record.version);
  return { ...record, aliases: [...new Set([...own, ...told])].sort() };
}
