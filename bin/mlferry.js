#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`mlferry needs Node 22.18 or newer; this is Node ${process.versions.node}.\n`);
  process.exit(2);
}
const { main } = await import('../dist/cli/main.js');
await main(process.argv);
