import * as tag from '../model/mlflow/tags.ts';
import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import { repositoryOf, revisionLink } from './git-link.ts';

/** Where a run's code comes from, as its tags tell: each part only where there is something to tell. */
export interface RunSource {
  /** MLflow's kind: NOTEBOOK, JOB, PROJECT, LOCAL, RECIPE or UNKNOWN. */
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  /** Of an MLproject. */
  readonly entry_point?: string | undefined;
  readonly backend?: string | undefined;
  /** What made the environment of a project: `conda`, `virtualenv`, `docker` … */
  readonly environment?: string | undefined;
  readonly git?: GitSource | undefined;
  readonly notebook?:
    | {
        readonly id?: string | undefined;
        readonly path?: string | undefined;
        readonly revision_id?: string | undefined;
        readonly link?: string | undefined;
      }
    | undefined;
  readonly job?:
    | {
        readonly id?: string | undefined;
        readonly run_id?: string | undefined;
        readonly type?: string | undefined;
        readonly link?: string | undefined;
      }
    | undefined;
  readonly cluster_id?: string | undefined;
  readonly docker?:
    | { readonly image_uri?: string | undefined; readonly image_id?: string | undefined }
    | undefined;
  /** What opens the code as it was: the commit, else the notebook, else the job; http or https. */
  readonly link?: string | undefined;
}

/** A revision in Git. */
export interface GitSource {
  /** Address without credentials. */
  readonly repository?: string | undefined;
  readonly commit?: string | undefined;
  readonly branch?: string | undefined;
  /** Directory or file in the repository. */
  readonly path?: string | undefined;
  /** There were changes that no commit has. */
  readonly dirty?: boolean | undefined;
  /** The page of the repository, and that of the very commit. */
  readonly page?: string | undefined;
  readonly link?: string | undefined;
}

/** The source of a run, from its tags; `undefined` where they tell nothing of it. */
export function sourceOf({ tags, run_id }: Pick<Run, 'tags' | 'run_id'>): RunSource | undefined {
  const of = (...keys: readonly string[]) =>
    keys.map((key) => ownValue(tags, key)).find((value) => value !== undefined && value !== '');
  const git = gitSource(of);
  const workspace = workspaceOf(of);
  const notebook = notebookOf(of, workspace, run_id);
  const job = jobOf(of, workspace);
  const docker = some({ image_uri: of(tag.DOCKER_IMAGE_TAG), image_id: of(tag.DOCKER_ID_TAG) });
  return some({
    type: of(tag.SOURCE_TYPE_TAG),
    name: of(tag.SOURCE_NAME_TAG),
    entry_point: of(tag.ENTRY_POINT_TAG),
    backend: of(tag.PROJECT_BACKEND_TAG),
    environment: of(tag.PROJECT_ENVIRONMENT_TAG),
    git,
    notebook,
    job,
    cluster_id: of(tag.CLUSTER_ID_TAG),
    docker,
    link: git?.link ?? notebook?.link ?? job?.link,
  });
}

type Of = (...keys: readonly string[]) => string | undefined;

function gitSource(of: Of): GitSource | undefined {
  // Only of a project the name is an address.
  const name = of(tag.SOURCE_TYPE_TAG) === 'PROJECT' ? (of(tag.SOURCE_NAME_TAG) ?? '') : '';
  const told = of(tag.GIT_FOLDER_URL_TAG, tag.SOURCE_REPOSITORY_TAG, tag.OLD_REPOSITORY_TAG);
  const provider = of(tag.GIT_FOLDER_PROVIDER_TAG);
  const repository = repositoryOf(told ?? name, provider);
  const commit = of(tag.GIT_FOLDER_COMMIT_TAG, tag.SOURCE_COMMIT_TAG);
  if ((told ?? commit ?? repository) === undefined) return undefined;
  const [, directory] = /#(.+)$/s.exec(name) ?? [];
  const path = of(tag.GIT_FOLDER_PATH_TAG) ?? repository?.directory ?? directory;
  const dirty = of(tag.SOURCE_DIRTY_TAG) ?? of(tag.GIT_FOLDER_STATUS_TAG);
  return some({
    repository: repository?.address ?? told,
    commit,
    branch: of(tag.SOURCE_BRANCH_TAG, tag.OLD_BRANCH_TAG, tag.GIT_FOLDER_REFERENCE_TAG),
    path,
    dirty: dirty === undefined ? undefined : /^(true|dirty|modified)$/i.test(dirty),
    page: repository?.page,
    link: repository === undefined ? undefined : revisionLink(repository, commit ?? '', path),
  });
}

/** The address of a workspace up to its query; only one that a browser may open. */
function workspaceOf(of: Of): string | undefined {
  const given = of(tag.WORKSPACE_URL_TAG, tag.WEBAPP_URL_TAG);
  if (given === undefined) return undefined;
  const url = URL.parse(/^[a-z]+:\/\//i.test(given) ? given : `https://${given}`);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  const id = of(tag.WORKSPACE_ID_TAG);
  return `${url.origin}/${id === undefined ? '' : `?o=${encodeURIComponent(id)}`}`;
}

/** Pages of a workspace, as MLflow's UI names them (mlflow/server/js/src/common/utils/Utils.tsx). */
function notebookOf(of: Of, workspace: string | undefined, run_id: string): RunSource['notebook'] {
  const id = of(tag.NOTEBOOK_ID_TAG);
  const revision_id = of(tag.NOTEBOOK_REVISION_TAG);
  const revision =
    revision_id === undefined
      ? ''
      : `/revision/${encodeURIComponent(revision_id)}/mlflow/run/${encodeURIComponent(run_id)}`;
  return some({
    id,
    path: of(tag.NOTEBOOK_PATH_TAG),
    revision_id,
    link:
      workspace === undefined || id === undefined
        ? undefined
        : `${workspace}#notebook/${encodeURIComponent(id)}${revision}`,
  });
}

function jobOf(of: Of, workspace: string | undefined): RunSource['job'] {
  const id = of(tag.JOB_ID_TAG, tag.SHELL_JOB_ID_TAG);
  const run_id = of(tag.JOB_RUN_ID_TAG, tag.SHELL_JOB_RUN_ID_TAG);
  const told = of(tag.RUN_URL_TAG);
  const made =
    workspace === undefined || id === undefined
      ? undefined
      : `${workspace}#job/${encodeURIComponent(id)}${run_id === undefined ? '' : `/run/${encodeURIComponent(run_id)}`}`;
  const isWeb = /^https?:$/.test(URL.parse(told ?? '')?.protocol ?? '');
  return some({ id, run_id, type: of(tag.JOB_TYPE_TAG), link: isWeb ? told : made });
}

/** These fields; `undefined` where none has a value. */
const some = <T extends object>(fields: T): T | undefined =>
  Object.values(fields).some((value) => value !== undefined) ? fields : undefined;
