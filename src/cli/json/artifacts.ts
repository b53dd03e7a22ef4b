import { z } from 'zod';
import type { FoundFiles } from '../../manage/files-of.ts';
import type { GotArtifact, GotArtifacts } from '../../manage/get-artifacts.ts';
import type { ArtifactList, ListedArtifact } from '../../manage/list-artifacts.ts';
import { count, exitStatus, failure, loss, place } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const found = schemaOf<FoundFiles>()(
  z.strictObject({
    place,
    kind: z.string().meta({ description: 'run, logged_model or model_version' }),
    id: z.string(),
    path: z.string().meta({ description: 'the file or directory that was asked for; empty for all files' }),
    losses: z.array(loss).meta({ description: 'files that cannot be reached' }),
    failures: z.array(failure),
    exit_status: exitStatus,
  }),
);

const listed = schemaOf<ListedArtifact>()(
  z.strictObject({
    path: z.string(),
    type: z.enum(['file', 'directory']),
    size: count.exactOptional().meta({ description: 'of a directory: of all its files' }),
    files: count.exactOptional().meta({ description: 'of a directory: how many there are in it' }),
    sha256: z.string().exactOptional(),
  }),
);

/** What `mlferry artifacts ls` prints. */
export const artifactList = schemaOf<ArtifactList>()(found.extend({ artifacts: z.array(listed) }));

const got = schemaOf<GotArtifact>()(
  z.strictObject({ path: z.string(), size: count, outcome: z.enum(['written', 'unchanged']) }),
);

/** What `mlferry artifacts get` prints. */
export const gotArtifacts = schemaOf<GotArtifacts>()(
  found.extend({ directory: z.string(), artifacts: z.array(got) }),
);
