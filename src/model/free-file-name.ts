/** `mlferry/oversize.json`, or `mlferry/oversize-2.json` … where the source has a file of that name. */
export function freeFileName(path: string, taken: ReadonlySet<string>): string {
  const dot = path.lastIndexOf('.');
  for (let number = 1; ; number++) {
    const name = number === 1 ? path : `${path.slice(0, dot)}-${number}${path.slice(dot)}`;
    if (!taken.has(name)) return name;
  }
}
