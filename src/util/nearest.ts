import leven from 'leven';

/** The one of some names that is most like a text, if any is: for "did you mean". Upper and lower case are alike. */
export function nearest(text: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A third of the letters may be wrong.
  let least = Math.floor(text.length / 3) + 1;
  for (const name of names) {
    const distance = leven(text.toLowerCase(), name.toLowerCase());
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}
