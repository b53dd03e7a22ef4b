import { extname } from 'node:path';

/** Types that a browser may be told: pictures, and texts, none of which is run. */
const TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.svg': 'image/svg+xml',
  '.pdf': 'application/pdf',
  '.json': 'application/json',
};

const TEXTS: ReadonlySet<string> = new Set(
  '.txt .md .log .csv .tsv .yaml .yml .xml .html .htm .js .ts .py .sh .toml .ini .cfg .conf .sql .css'.split(
    ' ',
  ),
);

/** The content type of a file by its name. Pages and scripts are plain text. */
export function contentType(name: string): string {
  const extension = extname(name).toLowerCase();
  if (TEXTS.has(extension) || /^(?:MLmodel|MLproject)$/.test(name)) return 'text/plain; charset=utf-8';
  return TYPES[extension] ?? 'application/octet-stream';
}
