/** What a tracking server is and has, learnt when connecting. */
export interface Capabilities {
  /** MLflow's version (`3.6.0`); `undefined` when the server does not tell, or has a version of its own. */
  readonly version: string | undefined;
  /** `SqlStore`, `FileStore` …; told by MLflow 3.10 and newer. */
  readonly store_type: string | undefined;
  /** Whether workspaces are enabled (3.10 and newer). */
  readonly workspaces: boolean;
  /** Whether it is Databricks: other search dialect, own bulk routes, and none of the routes that tell a version. */
  readonly databricks: boolean;
  /** The fingerprint of what it reads, where it is `mlferry serve`: copies from there and from here are the same. */
  readonly serves?: string;
}

/**
 * Whether the server says that it is MLflow, or Databricks. Of any other (FastTrackML, GitLab, MLflow behind a proxy that hides
 * its version) nothing is taken for granted but what its answers show.
 */
export function isMlflow({ version, databricks }: Capabilities): boolean {
  return databricks || version !== undefined;
}

/** Whether the server's version is `minimum` (`2.17`, `3.10.1`) or newer; an unknown version is not. */
export function isAtLeast(server: Capabilities, minimum: string): boolean {
  if (server.version === undefined) return false;
  const have = versionNumbers(server.version);
  for (const [index, wanted] of versionNumbers(minimum).entries()) {
    const number = have[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}

/** The numbers of `3.6.1.dev0`: 3, 6, 1. */
export function versionNumbers(version: string): number[] {
  return (/^\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number);
}
