import type { Findings } from '../../model/findings.ts';

/** Findings that pass each loss and failure on once, however often a run is read. */
export function withoutRepeats({ loss, failure }: Findings): Findings {
  const noted = new Set<string>();
  const once = (what: object, pass: () => void) => {
    const text = JSON.stringify(what);
    if (!noted.has(text)) pass();
    noted.add(text);
  };
  return {
    loss: (found) => once(found, () => loss(found)),
    failure: (found) => once(found, () => failure(found)),
  };
}
