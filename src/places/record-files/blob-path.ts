/** Where the bytes with this sha256 (hex) stand below a blob directory: `sha256/ab/cdef…`. */
export function blobPath(sha256: string): string {
  return `sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;
}
