import { type ArtifactStores, artifactStores } from '../artifacts/stores.ts';
import type { PlaceOptions } from './place-options.ts';

/** Variables of one side are called as those of both, after one of these. */
const SIDES = { from: 'MLFERRY_FROM_', to: 'MLFERRY_TO_' } as const;
/** What of a side concerns object stores. */
const STORES = /^(AWS_|MLFLOW_S3_|MLFLOW_BOTO_)/;
/** What identifies somebody at a store: with another identity nothing of the common one counts. */
const IDENTITY =
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|DEFAULT_PROFILE)$/;

/** The object stores of a place, with the environment of its side; which way is taken goes to the findings. */
export function placeStores(
  options: Pick<PlaceOptions, 'side' | 'environment' | 'signal' | 'findings'>,
): ArtifactStores {
  const { side, findings, signal } = options;
  return artifactStores(sideEnvironment(options), signal, (store, reason) => {
    const how = reason === undefined ? { way: 'direct' as const } : { way: 'indirect' as const, reason };
    findings.artifactWay?.({ side, store, ...how });
  });
}

/**
 * The environment of one side: `MLFERRY_FROM_AWS_PROFILE` and the like stand for `AWS_PROFILE` at the source, `MLFERRY_TO_…` at the
 * target.
 */
function sideEnvironment({
  side,
  environment,
}: Pick<PlaceOptions, 'side' | 'environment'>): PlaceOptions['environment'] {
  const prefix = SIDES[side];
  const own = Object.entries(environment).flatMap(([name, value]) => {
    const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    return STORES.test(rest) && value ? [[rest, value] as const] : [];
  });
  if (own.length === 0) return environment;
  const isOther = own.some(([name]) => IDENTITY.test(name));
  const common = Object.entries(environment).filter(([name]) => !(isOther && IDENTITY.test(name)));
  return { ...Object.fromEntries(common), ...Object.fromEntries(own) };
}
