import { breakDisk, type DiskFault } from './break-disk.ts';

// The command line in a process of its own whose disk fails: `node broken-mlferry.ts FAULT ARGUMENTS`.
const [, , plan = '', ...args] = process.argv;
const fault: DiskFault = JSON.parse(plan);
await breakDisk(fault);
const { main } = await import('../../src/cli/main.ts');
await main(['node', 'mlferry', ...args]);
