/** The same items, with the next one already being produced while the present one is used. */
export async function* readAhead<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  const next = () => {
    const result = iterator.next();
    // Whoever awaits `result` sees its error; without this a consumer that stops early leaves it unhandled.
    result.catch(() => undefined);
    return result;
  };
  let coming = next();
  try {
    while (true) {
      const result = await coming;
      if (result.done === true) return;
      coming = next();
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}
