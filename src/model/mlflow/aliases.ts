/** Why MLflow takes no alias of this name (mlflow/utils/validation.py of 2.9.2 and 3.17.2); `undefined`: it does. */
export function aliasProblem(alias: string): string | undefined {
  if (!/^[\w-]{1,255}$/.test(alias)) return 'an alias has up to 255 letters, digits, _ and -';
  if (/^latest$/i.test(alias) || /^v\d+$/i.test(alias)) return 'MLflow keeps latest and v1, v2 … for itself';
  return undefined;
}
