import { redactUri } from '../util/redact.ts';

/** What a service calls the pages of a repository: by what links are made. */
type Service = 'github' | 'gitlab' | 'bitbucket' | 'bitbucket-server' | 'azure' | 'gitea' | 'codecommit';

/** A Git repository that a text names. */
export interface Repository {
  /** The address as given, without credentials and without the directory behind `#`. */
  readonly address: string;
  /** The directory behind `#`, as MLflow's project URIs have it. */
  readonly directory?: string;
  /** Its page, where it is on a host that has pages. */
  readonly page?: string;
  readonly service?: Service;
}

/** Names of hosts, and those that Databricks gives (`mlflow.databricks.gitRepoProvider`), in the order in which they are looked for. */
const SERVICES: ReadonlyArray<readonly [RegExp, Service]> = [
  [/^bitbucketserver/i, 'bitbucket-server'],
  [/github/i, 'github'],
  [/gitlab/i, 'gitlab'],
  [/bitbucket/i, 'bitbucket'],
  [/azuredevops|dev\.azure\.com$|visualstudio\.com$/i, 'azure'],
  [/codecommit/i, 'codecommit'],
  [/gitea|forgejo|codeberg/i, 'gitea'],
];

/** Addresses with a scheme, and `user@host:path` of SSH. */
const WITH_SCHEME = /^(?:git\+)?(https?|ssh|git):\/\/(?:[^/@\s]*@)?([^/:@\s]+)(?::(\d+))?\/+([^?\s]+)/i;
const OF_SSH = /^(?:[^/@\s:]+@)([^/:@\s]+):(?!\/\/)([^?\s]+)/;

/**
 * The repository that an address names (https, ssh, git, `git@host:path`, with or without `.git`); `undefined` where it is none.
 * `provider`: what service the host is, where somebody knows.
 */
export function repositoryOf(text: string, provider = ''): Repository | undefined {
  const [address = '', ...behind] = text
    .trim()
    .replace(/^['"]|['"]$/g, '')
    .split('#');
  const directory = behind.join('#').replace(/^\/+|\/+$/g, '');
  const scheme = WITH_SCHEME.exec(address);
  const ssh = scheme === null ? OF_SSH.exec(address) : null;
  if (scheme === null && ssh === null) return undefined;
  const host = (scheme?.[2] ?? ssh?.[1] ?? '').toLowerCase();
  const path = (scheme?.[4] ?? ssh?.[2] ?? '').replace(/\/+$/, '').replace(/\.git$/, '');
  const isWeb = /^https?$/i.test(scheme?.[1] ?? '');
  const port = isWeb && scheme?.[3] !== undefined ? `:${scheme[3]}` : '';
  const web = `${isWeb ? scheme?.[1]?.toLowerCase() : 'https'}://${host}${port}`;
  const { service, page } = pageOf(web, host, path, provider);
  return {
    address: redactUri(address),
    ...(directory === '' ? {} : { directory }),
    ...(page === undefined ? {} : { page }),
    ...(service === undefined ? {} : { service }),
  };
}

function pageOf(
  web: string,
  host: string,
  path: string,
  provider: string,
): { service: Service | undefined; page: string | undefined } {
  const parts = path.split('/');
  const [, server] = /^(?:scm|projects)\/(.+)$/.exec(path) ?? [];
  const named =
    SERVICES.find(([name]) => name.test(provider))?.[1] ?? SERVICES.find(([name]) => name.test(host))?.[1];
  const service =
    named === 'bitbucket' && (server !== undefined || host !== 'bitbucket.org') ? 'bitbucket-server' : named;
  if (service === 'azure') return { service, page: azurePage(host, parts) };
  if (service === 'codecommit') return { service, page: codecommitPage(host, parts) };
  if (service === 'bitbucket-server') {
    const [project = '', repository = ''] = (server ?? path).replace('/repos/', '/').split('/');
    return { service, page: `${web}/projects/${encode(project)}/repos/${encode(repository)}` };
  }
  return { service, page: `${web}/${parts.map(encode).join('/')}` };
}

/** `org/project/_git/name`, `v3/org/project/name` of SSH, and `project/_git/name` of the older hosts `org.visualstudio.com`. */
function azurePage(host: string, parts: readonly string[]): string | undefined {
  const [, older] = /^([^.]+)\.visualstudio\.com$/.exec(host) ?? [];
  const isSsh = parts[0] === 'v3';
  const plain = isSsh
    ? parts.slice(1)
    : parts.filter((part) => part !== '_git' && part !== 'DefaultCollection');
  const all = older === undefined || isSsh ? plain : [older, ...plain];
  const [organization, project, name = project] = all;
  if (organization === undefined || project === undefined || name === undefined) return undefined;
  return `https://dev.azure.com/${encode(organization)}/${encode(project)}/_git/${encode(name)}`;
}

function codecommitPage(host: string, parts: readonly string[]): string | undefined {
  const [, region] = /^git-codecommit\.([a-z0-9-]+)\.amazonaws\.com$/.exec(host) ?? [];
  const name = parts.at(-1);
  if (region === undefined || name === undefined) return undefined;
  return `https://${region}.console.aws.amazon.com/codesuite/codecommit/repositories/${encode(name)}`;
}

/** Where each service shows a directory or file of a revision. */
const REVISION_PAGES: Readonly<Record<Service, (page: string, commit: string, path: string) => string>> = {
  github: (page, commit, path) => `${page}/tree/${commit}${below(path)}`,
  gitlab: (page, commit, path) => `${page}/-/tree/${commit}${below(path)}`,
  bitbucket: (page, commit, path) => `${page}/src/${commit}${below(path)}`,
  'bitbucket-server': (page, commit, path) => `${page}/browse${below(path)}?at=${commit}`,
  azure: (page, commit, path) =>
    `${page}?version=GC${commit}${path === '' ? '' : `&path=${encodeURIComponent(`/${path}`)}`}`,
  gitea: (page, commit, path) => `${page}/src/commit/${commit}${below(path)}`,
  codecommit: (page, commit, path) => `${page}/browse/${commit}${path === '' ? '' : `/--${below(path)}`}`,
};

/** The page that shows a directory or file of a repository as it was at a commit; `undefined` where nobody knows what the host calls it. */
export function revisionLink(
  { page, service, directory }: Repository,
  commit: string,
  path = directory ?? '',
): string | undefined {
  if (page === undefined || service === undefined || commit === '') return undefined;
  return REVISION_PAGES[service](page, encode(commit), path);
}

const encode = (part: string) => encodeURIComponent(decoded(part));

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const below = (path: string) =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map((part) => `/${encode(part)}`)
    .join('');
