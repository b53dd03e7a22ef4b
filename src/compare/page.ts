import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { toJson } from '../model/json.ts';
import { isAbsent, MlferryError } from '../util/errors.ts';
import type { Comparison } from './comparison.ts';

/** What `npm run build` puts together of src/compare/page, and plotly.js as it comes. */
const FILES = new URL('../../dist/compare-page/', import.meta.url);

const pack = promisify(gzip);

/**
 * A comparison as one HTML page with tables and plots. It holds all that it needs and asks nothing of anybody: its
 * Content-Security-Policy allows its own two scripts, by their hashes, and no request at all.
 */
export async function comparisonPage(comparison: Comparison): Promise<string> {
  const [page, style, plotly] = await Promise.all(['main.js', 'page.css', 'plotly.js'].map(fileOf));
  const [code = '', css = '', library = ''] = [page, style, plotly];
  const packed = async (text: string) => (await pack(text, { level: 9 })).toString('base64');
  const [data, packedLibrary] = await Promise.all([packed(toJson(comparison)), packed(library)]);
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(code)} ${hashOf(library)}`,
    "style-src 'unsafe-inline'",
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="mlferry">
<link rel="icon" href="data:,">
<title>${comparison.runs.length} runs side by side</title>
<style>${css}</style>
</head>
<body>
<main><p>${comparison.runs.length} runs. This page draws them with JavaScript.</p></main>
<script type="text/plain" id="data">${data}</script>
<script type="text/plain" id="plotly">${packedLibrary}</script>
<script>${code}</script>
</body>
</html>
`;
}

const hashOf = (script: string) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`;

async function fileOf(name: string): Promise<string> {
  try {
    return await readFile(new URL(name, FILES), 'utf8');
  } catch (error) {
    if (!isAbsent(error)) throw error;
    throw new MlferryError(
      'BUG',
      `The page of comparisons was not built: dist/compare-page/${name} is missing`,
      {
        cause: error,
        hint: 'In a checkout, npm run build makes it.',
      },
    );
  }
}
