import { z } from 'zod';
import type { JobOptions } from '../job/job-options.ts';
import { parseRename } from '../job/rename.ts';
import { isLossCode, LOSS_CODES, type LossCode } from '../model/findings.ts';
import { MlferryError } from '../util/errors.ts';
import { placeShape, placesOf } from './place-values.ts';
import { selectionOf, selectionShape } from './selection-values.ts';

const transferOptions = z.object({
  ...selectionShape,
  ...placeShape,
  explain: z.boolean().default(false),
  acceptLoss: z.array(z.string()).default([]),
  rename: z.array(z.string()).default([]),
  renameModel: z.array(z.string()).default([]),
  artifacts: z.boolean().default(true),
  metrics: z.boolean().default(true),
  keepModelFiles: z.boolean().default(false),
  only: z.array(z.string()).default([]),
  without: z.array(z.string()).default([]),
  includeArtifacts: z.array(z.string()).default([]),
  excludeArtifacts: z.array(z.string()).default([]),
  maxArtifactSize: z.number().optional(),
  dryRun: z.boolean().default(false),
  into: z.string().optional(),
  idMap: z.string().optional(),
  overwrite: z.boolean().default(false),
  init: z.boolean().default(false),
  stateDir: z.string().optional(),
  verify: z.boolean().default(false),
  mirror: z.boolean().default(false),
  yes: z.boolean().default(false),
  undoFile: z.string().optional(),
  shard: z.string().optional(),
  finish: z.boolean().default(false),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
});

/** A command's options as the engine takes them, and what only the command line knows. */
export interface ParsedOptions {
  readonly job: JobOptions;
  readonly idMap: string | undefined;
  /** Only say how the selection would be worked out. */
  readonly explain: boolean;
  readonly verify: boolean;
  readonly mirror: boolean;
  /** Of the question of `mirror`. */
  readonly yes: boolean;
  readonly undoFile: string | undefined;
  /** `2/8` or `auto`. */
  readonly shard: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Turns commander's values into {@link ParsedOptions}; throws USAGE. */
export function parseOptions(values: unknown): ParsedOptions {
  const parsed = transferOptions.safeParse(values);
  if (!parsed.success) throw new MlferryError('USAGE', z.prettifyError(parsed.error));
  const o = parsed.data;
  if (o.orderBy.length > 0 && o.maxRuns === undefined)
    throw new MlferryError('USAGE', '--order-by says which runs --max-runs keeps: it needs --max-runs');
  if (!o.mirror && (o.yes || o.undoFile !== undefined))
    throw new MlferryError('USAGE', '--yes and --undo-file are about what --mirror deletes: they need it');
  if (o.shard !== undefined && (o.finish || o.verify || o.mirror))
    throw new MlferryError(
      'USAGE',
      '--shard is one part of the work: --verify and --mirror go with --finish, after all shards',
    );
  return {
    job: {
      ...placesOf(o),
      selection: selectionOf(o),
      rename: o.rename.map((text) => parseRename(text)),
      renameModels: o.renameModel.map((text) => parseRename(text, '--rename-model')),
      acceptLoss: o.acceptLoss.flatMap(words).map(lossCode),
      artifacts: o.artifacts,
      metrics: o.metrics,
      keepModelFiles: o.keepModelFiles,
      only: o.only.flatMap(words),
      without: o.without.flatMap(words),
      includeArtifacts: o.includeArtifacts,
      excludeArtifacts: o.excludeArtifacts,
      maxArtifactSize: o.maxArtifactSize,
      dryRun: o.dryRun,
      into: o.into,
      overwrite: o.overwrite,
      init: o.init,
      stateDir: o.stateDir,
    },
    idMap: o.idMap,
    explain: o.explain,
    verify: o.verify,
    mirror: o.mirror,
    yes: o.yes,
    undoFile: o.undoFile,
    shard: o.shard,
    json: o.json,
    quiet: o.quiet,
  };
}

/** The words of a list with commas. */
const words = (list: string) => list.split(',').map((word) => word.trim());

function lossCode(text: string): LossCode {
  const code = text.trim().toUpperCase();
  if (isLossCode(code)) return code;
  throw new MlferryError('USAGE', `--accept-loss: there is no loss ${JSON.stringify(text)}`, {
    hint: `Losses are ${LOSS_CODES.join(', ')}; docs/compatibility.md explains them.`,
  });
}
