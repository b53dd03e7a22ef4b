import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { repositoryOf, revisionLink } from '../../src/look/git-link.ts';

const COMMIT = '5f3b1c0a9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a';

const linkOf = (address: string, provider = '', path?: string) => {
  const repository = repositoryOf(address, provider);
  return repository === undefined ? undefined : revisionLink(repository, COMMIT, path);
};

describe('the page of a commit', () => {
  test.each([
    ['https://github.com/team/churn.git', `https://github.com/team/churn/tree/${COMMIT}`],
    ['https://github.com/team/churn#train/deep', `https://github.com/team/churn/tree/${COMMIT}/train/deep`],
    ['git@github.com:team/churn.git', `https://github.com/team/churn/tree/${COMMIT}`],
    ['ssh://git@github.com:22/team/churn.git', `https://github.com/team/churn/tree/${COMMIT}`],
    ['git+https://github.com/team/churn', `https://github.com/team/churn/tree/${COMMIT}`],
    ['git://github.com/team/churn.git/', `https://github.com/team/churn/tree/${COMMIT}`],
    ['https://github.example.com/a/b', `https://github.example.com/a/b/tree/${COMMIT}`],
    ['https://gitlab.com/group/sub/churn.git', `https://gitlab.com/group/sub/churn/-/tree/${COMMIT}`],
    ['git@gitlab.example.com:group/churn.git', `https://gitlab.example.com/group/churn/-/tree/${COMMIT}`],
    ['https://gitlab.example.com:8443/g/c.git', `https://gitlab.example.com:8443/g/c/-/tree/${COMMIT}`],
    ['git@bitbucket.org:team/churn.git', `https://bitbucket.org/team/churn/src/${COMMIT}`],
    [
      'https://bitbucket.example.com/scm/ML/churn.git#train',
      `https://bitbucket.example.com/projects/ML/repos/churn/browse/train?at=${COMMIT}`,
    ],
    [
      'ssh://git@bitbucket.example.com:7999/ml/churn.git',
      `https://bitbucket.example.com/projects/ml/repos/churn/browse?at=${COMMIT}`,
    ],
    [
      'https://org@dev.azure.com/org/a%20project/_git/churn#train',
      `https://dev.azure.com/org/a%20project/_git/churn?version=GC${COMMIT}&path=%2Ftrain`,
    ],
    [
      'https://dev.azure.com/org/_git/churn',
      `https://dev.azure.com/org/churn/_git/churn?version=GC${COMMIT}`,
    ],
    [
      'git@ssh.dev.azure.com:v3/org/project/churn',
      `https://dev.azure.com/org/project/_git/churn?version=GC${COMMIT}`,
    ],
    [
      'https://org.visualstudio.com/DefaultCollection/project/_git/churn',
      `https://dev.azure.com/org/project/_git/churn?version=GC${COMMIT}`,
    ],
    [
      'org@vs-ssh.visualstudio.com:v3/org/project/churn',
      `https://dev.azure.com/org/project/_git/churn?version=GC${COMMIT}`,
    ],
    ['https://codeberg.org/team/churn', `https://codeberg.org/team/churn/src/commit/${COMMIT}`],
    [
      'https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/churn',
      `https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/repositories/churn/browse/${COMMIT}`,
    ],
  ])('of %s', (address, link) => {
    expect(linkOf(address)).toBe(link);
  });

  it('is that of the service that somebody names, where the host does not tell', () => {
    expect(linkOf('https://code.example.com/a/b.git')).toBeUndefined();
    expect(repositoryOf('https://code.example.com/a/b.git')?.page).toBe('https://code.example.com/a/b');
    expect(linkOf('https://code.example.com/a/b.git', 'gitLabEnterpriseEdition', 'n.py')).toBe(
      `https://code.example.com/a/b/-/tree/${COMMIT}/n.py`,
    );
    expect(linkOf('https://code.example.com/scm/a/b.git', 'bitbucketServer')).toBe(
      `https://code.example.com/projects/a/repos/b/browse?at=${COMMIT}`,
    );
  });

  it('holds no credentials, and there is none without a repository or commit', () => {
    const repository = repositoryOf('https://me:secret@github.com/team/churn.git');
    expect(JSON.stringify(repository)).not.toContain('secret');
    expect(repository?.page).toBe('https://github.com/team/churn');
    for (const address of ['/home/me/churn', 'file:///home/me/churn#train', 'train.py', '']) {
      expect(repositoryOf(address)).toBeUndefined();
    }
    expect(repository && revisionLink(repository, '')).toBeUndefined();
  });

  it('is a web address on the host that was named, whatever else stands in the text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (path, commit, directory) => {
        const repository = repositoryOf(`https://github.com/${path}`);
        const link = repository && revisionLink(repository, commit, directory);
        if (link === undefined) return;
        const url = new URL(link);
        expect([url.origin, url.username]).toEqual(['https://github.com', '']);
        expect(link).toMatch(/^[\x21-\x7e]+$/);
      }),
    );
  });
});
