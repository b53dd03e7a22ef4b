/** Text that plotly shows as it is: it takes some tags of HTML in texts, and `$…$` for TeX. */
export function plainLabel(text: string, most = 40): string {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return cut
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('$', '&#36;');
}
