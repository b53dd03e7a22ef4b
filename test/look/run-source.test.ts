import { expect, it } from 'vitest';
import { sourceOf } from '../../src/look/run-source.ts';

const of = (tags: Record<string, string>) => sourceOf({ run_id: 'r1', tags });

it('a project in Git has its repository, commit, entry point and the page of the commit', () => {
  expect(
    of({
      'mlflow.source.type': 'PROJECT',
      'mlflow.source.name': 'https://github.com/team/churn#train',
      'mlflow.source.git.commit': 'abc123',
      'mlflow.source.git.branch': 'main',
      'mlflow.project.entryPoint': 'fit',
      'mlflow.project.backend': 'local',
      'mlflow.project.env': 'virtualenv',
    }),
  ).toMatchObject({
    entry_point: 'fit',
    backend: 'local',
    environment: 'virtualenv',
    git: {
      repository: 'https://github.com/team/churn',
      commit: 'abc123',
      branch: 'main',
      path: 'train',
      link: 'https://github.com/team/churn/tree/abc123/train',
    },
    link: 'https://github.com/team/churn/tree/abc123/train',
  });
});

it('a project in a directory of a clone has the repository that the clone came from', () => {
  const source = of({
    'mlflow.source.type': 'PROJECT',
    'mlflow.source.name': 'file:///home/me/churn#train',
    'mlflow.source.git.commit': 'abc123',
    'mlflow.source.git.repoURL': 'git@gitlab.com:team/churn.git',
  });
  expect(source?.link).toBe('https://gitlab.com/team/churn/-/tree/abc123/train');
});

it('a notebook is opened at its revision, in its workspace', () => {
  const source = of({
    'mlflow.source.type': 'NOTEBOOK',
    'mlflow.databricks.notebookID': '42',
    'mlflow.databricks.notebookPath': '/Users/me/churn',
    'mlflow.databricks.notebookRevisionID': '7',
    'mlflow.databricks.workspaceURL': 'adb-1.azuredatabricks.net',
    'mlflow.databricks.workspaceID': '99',
    'mlflow.databricks.cluster.id': 'c1',
  });
  expect(source).toMatchObject({ notebook: { path: '/Users/me/churn', revision_id: '7' }, cluster_id: 'c1' });
  expect(source?.link).toBe('https://adb-1.azuredatabricks.net/?o=99#notebook/42/revision/7/mlflow/run/r1');
});

it('a notebook in a Git folder is opened in the repository; a job at its run; an image is named', () => {
  const folder = of({
    'mlflow.source.type': 'NOTEBOOK',
    'mlflow.databricks.gitRepoUrl': 'https://github.com/team/churn.git',
    'mlflow.databricks.gitRepoCommit': 'def',
    'mlflow.databricks.gitRepoProvider': 'gitHub',
    'mlflow.databricks.gitRepoRelativePath': 'notebooks/fit',
  });
  expect(folder?.link).toBe('https://github.com/team/churn/tree/def/notebooks/fit');
  const job = of({
    'mlflow.source.type': 'JOB',
    'mlflow.databricks.jobID': '5',
    'mlflow.databricks.jobRunID': '6',
    'mlflow.databricks.workspaceURL': 'https://x.cloud.databricks.com/',
    'mlflow.docker.image.uri': 'churn:1',
    'mlflow.docker.image.id': 'sha256:1',
  });
  expect(job?.job).toMatchObject({ id: '5', link: 'https://x.cloud.databricks.com/#job/5/run/6' });
  expect(job?.docker).toEqual({ image_uri: 'churn:1', image_id: 'sha256:1' });
});

it('no link is anything else than a web address, and nothing told is nothing', () => {
  const source = of({
    'mlflow.databricks.runURL': 'javascript:alert(1)',
    'mlflow.databricks.workspaceURL': 'javascript://x/%0aalert(1)',
    'mlflow.databricks.notebookID': '1',
    'mlflow.databricks.jobID': '1',
  });
  expect(source?.link).toBeUndefined();
  expect(of({ team: 'churn' })).toBeUndefined();
});
