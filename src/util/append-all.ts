/** Adds all items to a list of any length: as arguments of `push` more than some hundred thousand overflow the stack. */
export function appendAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}
