import type { z } from 'zod';
import type { FoundObject } from '../../../model/findings.ts';
import type { LoggedModel } from '../../../model/logged-model.ts';
import type { Run } from '../../../model/records.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import type { artifactPage } from './answers.ts';
import type { Query } from './exchange.ts';
import { type Endpoint, type Route, routes, within } from './routes.ts';

type ArtifactPage = z.infer<typeof artifactPage>;

/** What has files on a server: a run, or an object of a further kind; and how the server is asked for them. */
export interface ServerOwner extends FoundObject {
  readonly artifact_uri: string;
  /** `run 1f0…`, for messages. */
  readonly words: string;
  /** The run, model or trace in whose artifact root its files are; absent: they are anywhere. */
  readonly root_id?: string;
  /** Its directory in what {@link list} lists, where that begins above it. */
  readonly inside?: string;
  /** Lists one directory; '' is the root. Absent where no route of the server does: then only its artifact proxy can. */
  list?(
    directory: string,
    page_token: string | undefined,
  ): readonly [route: Route<ArtifactPage>, query: Query];
  /** Gives a file, by way of the server whatever store it lies in. */
  file(path: string): readonly [route: Endpoint, query: Query];
  /** Takes a file, by way of the server whatever store it lies in. Absent where no route does. */
  upload?(path: string): readonly [route: Endpoint, query: Query];
}

const orAbsent = (directory: string) => (directory === '' ? undefined : directory);

/** A run as the owner of its files. */
export function runOwner({ run_id, artifact_uri }: Pick<Run, 'run_id' | 'artifact_uri'>): ServerOwner {
  return {
    kind: 'run',
    id: run_id,
    words: `run ${run_id}`,
    artifact_uri,
    root_id: run_id,
    list: (directory, page_token) => [routes.artifacts, { run_id, path: orAbsent(directory), page_token }],
    file: (path) => [routes.artifact, { run_id, path }],
    upload: (path) => [routes.uploadArtifact, { run_uuid: run_id, path }],
  };
}

/** A logged model as the owner of its files. */
export function modelOwner({
  model_id,
  artifact_uri,
}: Pick<LoggedModel, 'model_id' | 'artifact_uri'>): ServerOwner {
  return {
    kind: 'logged_model',
    id: model_id,
    words: `logged model ${model_id}`,
    artifact_uri,
    root_id: model_id,
    list: (directory, page_token) => [
      within(routes.loggedModelArtifacts, model_id),
      { artifact_directory_path: orAbsent(directory), page_token },
    ],
    file: (path) => [within(routes.loggedModelFile, model_id), { artifact_file_path: path }],
  };
}

/**
 * A version of a registered model as the owner of its files. `root` is where they are: `within` tells where below the
 * files of a run, if they are of one; `root_id` names what has them, if that is no more.
 */
export function versionOwner(
  { name, version }: Pick<ModelVersion, 'name' | 'version'>,
  root: {
    readonly artifact_uri: string;
    readonly within?: { readonly run_id: string; readonly path: string };
    readonly root_id?: string | undefined;
  },
): ServerOwner {
  const { artifact_uri, within: inRun } = root;
  const root_id = inRun?.run_id ?? root.root_id;
  const below = (directory: string) =>
    [inRun?.path ?? '', directory].filter((part) => part !== '').join('/') || undefined;
  return {
    kind: 'model_version',
    id: `${name}/${version}`,
    words: `version ${version} of registered model ${JSON.stringify(name)}`,
    artifact_uri,
    ...(root_id === undefined ? {} : { root_id }),
    ...(inRun === undefined
      ? {}
      : {
          inside: inRun.path,
          list: (directory: string, page_token: string | undefined) =>
            [routes.artifacts, { run_id: inRun.run_id, path: below(directory), page_token }] as const,
          upload: (path: string) =>
            [routes.uploadArtifact, { run_uuid: inRun.run_id, path: below(path) }] as const,
        }),
    file: (path) =>
      inRun === undefined
        ? [routes.modelVersionFile, { name, version, path }]
        : [routes.artifact, { run_id: inRun.run_id, path: below(path) }],
  };
}

/** A trace as the owner of its files: what stands beside it where the store does not hold it. */
export function traceOwner({
  trace_id,
  artifact_uri,
}: {
  readonly trace_id: string;
  readonly artifact_uri: string;
}): ServerOwner {
  return {
    kind: 'trace',
    id: trace_id,
    words: `trace ${trace_id}`,
    artifact_uri,
    root_id: trace_id,
    file: (path) => [routes.traceData, { request_id: trace_id, path: path.replace(/^attachments\//, '') }],
  };
}
