/** A place in S3. */
export interface S3Address {
  /** Its name, or the ARN of an access point. */
  readonly bucket: string;
  /** Without slashes at its ends. */
  readonly key: string;
}

/** Reads `s3://bucket/key`, as MLflow does: nothing in it is percent-encoded. `undefined` for anything else. */
export function s3Address(uri: string): S3Address | undefined {
  const arn = /^s3:\/\/(arn:[^/]+[:/]accesspoint[:/][^/]+)\/*(.*)$/s.exec(uri);
  const [, bucket, key = ''] = arn ?? /^s3:\/\/([^/@]+)(?:\/+(.*))?$/s.exec(uri) ?? [];
  return bucket === undefined ? undefined : { bucket, key: key.replace(/\/+$/, '') };
}
