/**
 * A section of an INI file as Python's configparser reads it, which MLflow and Databricks use; option names in lower
 * case. The npm packages for INI cut a password at `#` or `;`, strip quotes and know no `%%`, so they would send another
 * password than MLflow does. `undefined` when there is no such section.
 */
export function iniSection(text: string, wanted: string): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>();
  let section = '';
  let found = false;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\[(.+)\]/.exec(line);
    if (header) section = header[1] ?? '';
    if (section === wanted) found = true;
    const option = /^\s*([^=:]+?)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (header || !option || section !== wanted) continue;
    values.set((option[1] ?? '').toLowerCase(), (option[2] ?? '').replaceAll('%%', '%'));
  }
  return found ? values : undefined;
}
