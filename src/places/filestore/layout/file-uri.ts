/**
 * The `file://` URI of an absolute POSIX path in Python's spelling (`pathlib.Path.as_uri`), which MLflow writes into
 * `artifact_location` and `artifact_uri`.
 */
export function fileUri(path: string): string {
  const quoted = path
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replace(
        /[!'()*]/g,
        (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
  return `file://${quoted}`;
}
