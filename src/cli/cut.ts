import stringWidth from 'string-width';

const characters = new Intl.Segmenter();

/** A text in so many cells of a terminal: one that is wider is cut between characters as people see them. */
export function cut(text: string, room: number): string {
  if (stringWidth(text) <= room) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of characters.segment(text)) {
    width += stringWidth(segment);
    if (width > room - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
