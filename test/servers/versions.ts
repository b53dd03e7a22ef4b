import { homedir } from 'node:os';
import { join } from 'node:path';

/** The MLflow versions that tests run against, newest first: newest 3.x, two earlier 3.x, the last 2.x, an older 2.x. */
export const MLFLOW_VERSIONS = ['3.17.2', '3.6.0', '3.1.4', '2.22.5', '2.9.2'] as const;
export type MlflowVersion = (typeof MLFLOW_VERSIONS)[number];

/** The version that tests use unless they ask for another. */
export const NEWEST_MLFLOW: MlflowVersion = MLFLOW_VERSIONS[0];

const cacheDirectory =
  process.env.MLFERRY_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mlferry');

/** Where virtual environments are kept between runs, outside the checkout. */
export const venvsDirectory = join(cacheDirectory, 'venvs');

/** Where databases that servers start with are kept between runs. */
export const databasesDirectory = join(cacheDirectory, 'databases');

/** Written last into a virtual environment: what was installed there. Without it the environment is unfinished. */
export const COMPLETE_MARKER = '.mlferry-complete';

/** What stands in the virtual environment of an MLflow version, beside what MLflow itself asks for. */
const REQUIREMENTS: Readonly<Record<MlflowVersion, readonly string[]>> = {
  '3.17.2': ['mlflow[auth]==3.17.2', 'psycopg2-binary', 'boto3'],
  // MLflow before 3.17 imports names that SQLAlchemy 2.1 no longer has, and 2.9 needs setuptools' pkg_resources.
  '3.6.0': ['mlflow==3.6.0', 'sqlalchemy<2.1'],
  '3.1.4': ['mlflow==3.1.4', 'sqlalchemy<2.1'],
  '2.22.5': ['mlflow==2.22.5', 'sqlalchemy<2.1'],
  '2.9.2': ['mlflow==2.9.2', 'sqlalchemy<2.1', 'setuptools<81'],
};

/** What stands in the virtual environment of an MLflow version. */
export function requirementsOf(version: MlflowVersion): readonly string[] {
  return REQUIREMENTS[version];
}

/** Directory of the virtual environment of an MLflow version. */
export function venvOf(version: MlflowVersion): string {
  return join(venvsDirectory, `mlflow-${version}`);
}

/** The Python interpreter that has this MLflow version. */
export function pythonOf(version: MlflowVersion): string {
  return join(venvOf(version), 'bin', 'python');
}

/** A server that speaks the protocol of S3. */
export const MOTO_VERSION = '5.2.5';

/** Directory of its virtual environment, where boto3 is as well. */
export const motoVenv = join(venvsDirectory, `moto-${MOTO_VERSION}`);

/** A server that speaks a part of MLflow's REST, and is none. */
export const FASTTRACKML_VERSION = '0.6.0';

/** Directory of its virtual environment. */
export const fasttrackmlVenv = join(venvsDirectory, `fasttrackml-${FASTTRACKML_VERSION}`);
