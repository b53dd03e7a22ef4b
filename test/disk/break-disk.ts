import fs from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** At which operation that changes the disk something happens, and what. */
export interface DiskFault {
  /** Only operations on paths below one of these count. */
  readonly below: readonly string[];
  /** 1 for the first; an operation that no run reaches only counts them. */
  readonly at: number;
  /** `SIGKILL` ends this process; the others are system errors. */
  readonly does: 'SIGKILL' | 'ENOSPC' | 'EIO';
  /** Whether all operations after it that need space fail as well, as on a full disk. */
  readonly lasting: boolean;
}

let fault: DiskFault | undefined;
let log: string[] = [];

/** Makes the disk fail while `work` is done; tells the operations that counted. */
export async function withDiskFault<T>(
  plan: DiskFault,
  work: () => Promise<T>,
): Promise<{ result: T; operations: readonly string[] }> {
  await install();
  fault = plan;
  log = [];
  try {
    return { result: await work(), operations: log };
  } finally {
    fault = undefined;
  }
}

/** As {@link withDiskFault}, for the rest of this process. */
export async function breakDisk(plan: DiskFault): Promise<void> {
  await install();
  fault = plan;
}

/** Counts an operation. `tear` does half of it, where there are halves. */
async function pass(name: string, path: unknown, tear?: () => unknown): Promise<void> {
  const plan = planFor(name, path);
  if (plan === undefined) return;
  await tear?.();
  strike(plan, name, path);
}

/** As {@link pass}, for what does not wait. */
function passNow(name: string, path: unknown, tear?: () => unknown): void {
  const plan = planFor(name, path);
  if (plan === undefined) return;
  tear?.();
  strike(plan, name, path);
}

/** Counts an operation; the plan when this one has to fail. */
function planFor(name: string, path: unknown): DiskFault | undefined {
  const plan = fault;
  if (plan === undefined || typeof path !== 'string' || !plan.below.some((root) => path.startsWith(root)))
    return undefined;
  // A disk that is full or fails can still forget; a process can be killed at any time.
  if (name === 'rm' && plan.does !== 'SIGKILL') return undefined;
  log.push(`${name} ${path}`);
  const needsSpace = /^(open|write|writeFile|appendFile|mkdir|mkdtemp|link)$/.test(name);
  return log.length === plan.at || (plan.lasting && log.length > plan.at && needsSpace) ? plan : undefined;
}

/** A process that kills itself is gone when the call returns. */
function strike(plan: DiskFault, name: string, path: unknown): never {
  if (plan.does === 'SIGKILL') process.kill(process.pid, 'SIGKILL');
  const error: NodeJS.ErrnoException = new Error(`${plan.does}: broken by a test, ${name} '${path}'`);
  error.code = plan.does;
  throw error;
}

const writes = (flags: unknown) =>
  typeof flags === 'number'
    ? (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0
    : typeof flags === 'string' && /[wa+]/.test(flags);

let installed: Promise<void> | undefined;
function install(): Promise<void> {
  installed ??= patch();
  return installed;
}

type Call = (...args: unknown[]) => unknown;

/** Puts `before` in front of a method. */
function wrap(
  object: object,
  name: string,
  before: (self: unknown, args: unknown[], original: Call) => Promise<void>,
): void {
  const original: unknown = Reflect.get(object, name);
  if (typeof original !== 'function') throw new Error(`There is no ${name}`);
  const call: Call = (self, ...args) => Reflect.apply(original, self, args);
  Reflect.set(object, name, async function (this: unknown, ...args: unknown[]) {
    await before(this, args, call);
    return Reflect.apply(original, this, args);
  });
}

/** As {@link wrap}, for a function of `fs` that does not wait. */
function wrapNow(name: string, before: (args: unknown[], original: Call) => void): void {
  const original: unknown = Reflect.get(fs, name);
  if (typeof original !== 'function') throw new Error(`There is no ${name}`);
  const call: Call = (self, ...args) => Reflect.apply(original, self, args);
  Reflect.set(fs, name, (...args: unknown[]) => {
    before(args, call);
    return Reflect.apply(original, fs, args);
  });
}

async function patch(): Promise<void> {
  const paths = new WeakMap<object, string>();
  const handle = await promises.open(process.execPath, 'r');
  const prototype: object = Object.getPrototypeOf(handle);
  await handle.close();

  const open = promises.open;
  const opened = async (...args: Parameters<typeof open>): Promise<FileHandle> => {
    if (writes(args[1])) await pass('open', args[0]);
    const file = await open(...args);
    paths.set(file, String(args[0]));
    return file;
  };
  Reflect.set(promises, 'open', opened);
  for (const name of ['mkdir', 'mkdtemp', 'truncate']) wrap(promises, name, (_, [path]) => pass(name, path));
  wrapNow('mkdirSync', ([path]) => passNow('mkdir', path));
  wrapNow('writeFileSync', ([path, data, options], original) =>
    passNow('writeFile', path, () => original(undefined, path, half(data), options)),
  );
  for (const name of ['rename', 'link']) wrap(promises, name, (_, [, path]) => pass(name, path));
  for (const name of ['rm', 'rmdir', 'unlink']) wrap(promises, name, (_, [path]) => pass('rm', path));
  wrap(promises, 'writeFile', (_, [path, data, options], original) =>
    pass('writeFile', path, () => original(undefined, path, half(data), options)),
  );
  const pathOf = (self: unknown) => (typeof self === 'object' && self !== null ? paths.get(self) : undefined);
  for (const name of ['sync', 'datasync', 'truncate'])
    wrap(prototype, name, (self) => pass(name, pathOf(self)));
  wrap(prototype, 'write', (self, [data, offset, length, position], original) =>
    pass('write', pathOf(self), () =>
      typeof length === 'number' ? original(self, data, offset, length >> 1, position) : undefined,
    ),
  );
  for (const name of ['writeFile', 'appendFile'])
    wrap(prototype, name, (self, [data], original) =>
      pass(name, pathOf(self), () => original(self, half(data))),
    );

  // What createWriteStream uses.
  const streams = new Map<number, string>();
  const openCallback = fs.open;
  Reflect.set(
    fs,
    'open',
    (path: fs.PathLike, flags: string, mode: number, done: (error: unknown, fd?: number) => void) => {
      pass(writes(flags) ? 'open' : 'read', writes(flags) ? path : undefined).then(
        () =>
          openCallback(path, flags, mode, (error, fd) => {
            if (error === null && writes(flags)) streams.set(fd, String(path));
            done(error, fd);
          }),
        done,
      );
    },
  );
  for (const name of ['write', 'writev', 'fsync'] as const) {
    const original: unknown = Reflect.get(fs, name);
    if (typeof original !== 'function') throw new Error(`There is no ${name}`);
    Reflect.set(fs, name, (fd: number, ...args: unknown[]) => {
      const done = args.at(-1);
      if (!streams.has(fd) || typeof done !== 'function') return Reflect.apply(original, fs, [fd, ...args]);
      pass(name === 'fsync' ? 'sync' : 'write', streams.get(fd)).then(
        () => Reflect.apply(original, fs, [fd, ...args]),
        (error: unknown) => done(error),
      );
    });
  }
  const closeCallback = fs.close;
  Reflect.set(fs, 'close', (fd: number, ...args: [(error?: Error | null) => void]) => {
    streams.delete(fd);
    closeCallback(fd, ...args);
  });
  syncBuiltinESMExports();
}

function half(data: unknown): unknown {
  if (typeof data === 'string') return data.slice(0, data.length >> 1);
  return data instanceof Uint8Array ? data.subarray(0, data.length >> 1) : data;
}
