import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';

/**
 * The connections to one server: kept alive, bounded by the runs in flight, with the TLS options given or those of
 * MLflow's variables. `timeout`: ms of silence after which a request has failed. Throws CREDENTIALS on a PEM file
 * that cannot be read, USAGE on options that contradict each other. `identifies`: whether the client certificate is shown.
 * `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in small letters too, mean what they mean to curl.
 */
export function createAgent(options: PlaceOptions, timeout: number, identifies = true): Dispatcher {
  const { environment, tls } = options;
  const insecure = tls?.insecure ?? isTrue(environment.MLFLOW_TRACKING_INSECURE_TLS);
  const caFile = tls?.caFile ?? (environment.MLFLOW_TRACKING_SERVER_CERT_PATH || undefined);
  const clientFile = tls?.clientCertFile ?? (environment.MLFLOW_TRACKING_CLIENT_CERT_PATH || undefined);
  if (insecure && caFile !== undefined) {
    throw new MlferryError(
      'USAGE',
      'TLS cannot be both unverified and verified with a CA file: leave one of them out',
    );
  }
  const client = clientFile === undefined || !identifies ? undefined : pem(clientFile, 'client certificate');
  const connect = {
    timeout: Math.min(timeout, 10_000),
    ...(insecure ? { rejectUnauthorized: false } : {}),
    ...(caFile === undefined ? {} : { ca: pem(caFile, 'CA file') }),
    ...(client === undefined ? {} : { cert: client, key: client }),
  };
  const agent = {
    connections: options.concurrency * 2,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    connect,
  };
  const { http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY } = environment;
  const [httpProxy, httpsProxy] = [http_proxy || HTTP_PROXY || '', https_proxy || HTTPS_PROXY || ''];
  if (httpProxy === '' && httpsProxy === '') return new Agent(agent);
  try {
    const noProxy = no_proxy || NO_PROXY || '';
    return new EnvHttpProxyAgent({ ...agent, requestTls: connect, httpProxy, httpsProxy, noProxy });
  } catch (error) {
    throw new MlferryError('CREDENTIALS', 'HTTP_PROXY or HTTPS_PROXY is no address of a proxy', {
      cause: error,
      hint: 'It looks like http://proxy.example.com:3128.',
    });
  }
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(true|1)$/i.test(value);
}

function pem(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MlferryError(
      'CREDENTIALS',
      `The ${what} "${path}" cannot be read: ${systemCode(error) ?? 'unknown reason'}`,
      {
        cause: error,
        hint: 'Give the path of a PEM file that this user may read.',
      },
    );
  }
}
