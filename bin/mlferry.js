#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  const own = new URL('../node_modules/.bin/node', import.meta.url);
  const way = existsSync(own)
    ? 'Here is one: npx node bin/mlferry.js …, and npm start'
    : 'For this once: npx -p node@24 -p mlferry mlferry …';
  process.stderr.write(`mlferry needs Node 22.18 or newer; this is Node ${process.versions.node}. ${way}\n`);
  process.exit(2);
}
// Records are short-lived garbage. Left alone, V8 answers their stream by growing the young generation by 100 MB and more.
setFlagsFromString('--semi-space-growth-factor=1');
// Little of it lives on: without this the old generation grows to four times what it holds before it is collected.
setFlagsFromString('--heap-growing-percent=100');
const { main } = await import('../dist/command-line/main.js');
await main(process.argv);
