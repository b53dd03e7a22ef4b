import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { errorCodes } from '../../src/util/errors.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/every-night.md');
const npm = z
  .object({
    name: z.string(),
    version: z.string(),
    bin: z.record(z.string(), z.string()),
    scripts: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')));
const PACKED = `${npm.name}-${npm.version}.tgz`;

let directory = '';
let backups = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mlferry-every-night-'));
  backups = join(directory, 'backups');
  mkdirSync(backups);
  const command = join(directory, 'mlferry');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/bin/mlferry.js" "$@"\n`);
  chmodSync(command, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A command of the page, with the samples in the place of each server and a directory of the test for all that it writes. */
const here = (command: string) =>
  command
    .replaceAll(/https?:\/\/[^\s"']+/g, join(ROOT, 'samples/mlruns'))
    .replaceAll('/var/backups', backups)
    .replaceAll('/usr/bin/find', 'find');

/** Runs a shell text; rejects on any exit status but 0. */
const shell = (text: string, environment: Readonly<Record<string, string>> = {}) =>
  run('sh', ['-ec', text], {
    cwd: directory,
    env: { ...cleanEnvironment(), PATH: `${directory}:${process.env.PATH}`, ...environment },
  });

const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1] ?? '');

/** A systemd unit: section → name → value. Throws on a line that is none of comment, section and assignment. */
function unitOf(text: string): Record<string, Record<string, string>> {
  const unit: Record<string, Record<string, string>> = {};
  let section: Record<string, string> | undefined;
  for (const line of text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))) {
    const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      section = {};
      unit[name] = section;
    } else if (key === '' || section === undefined) throw new Error(`No line of a unit: ${line}`);
    else section[key] = value;
  }
  return unit;
}

const yamlBlocks = () =>
  blocks('yaml').map((text) => {
    const document = parseDocument(text);
    expect([document.errors, document.warnings]).toEqual([[], []]);
    const value: unknown = document.toJS();
    return value;
  });

test('the systemd units are ones, and what the timer starts makes a backup and removes old ones', async () => {
  const [service, timer] = blocks('ini').map(unitOf);
  expect(Object.keys(service ?? {})).toEqual(['Unit', 'Service']);
  expect(timer).toMatchObject({
    Timer: { OnCalendar: '*-*-* 02:30' },
    Install: { WantedBy: 'timers.target' },
  });
  const { ExecStart = '', ExecStartPost = '', Environment, StateDirectory } = service?.Service ?? {};
  expect(Environment).toBe(`XDG_STATE_HOME=/var/lib/${StateDirectory}`);
  const [old, kept] = ['mlflow-2000-01-01.tar.zst', 'other.tar.zst'].map((name) => join(backups, name));
  for (const path of [old ?? '', kept ?? '']) {
    writeFileSync(path, '');
    utimesSync(path, 0, 0);
  }
  // systemd reads %% as %.
  const commands = [ExecStart, ExecStartPost].map((command) => here(command.replaceAll('%%', '%')));
  const state = join(directory, 'state');
  for (const command of commands) await shell(command, { XDG_STATE_HOME: state });
  const today = (await shell('date +%F')).stdout.trim();
  expect(readdirSync(backups).sort()).toEqual([`mlflow-${today}.tar.zst`, 'other.tar.zst']);
  await shell(`mlferry verify backups/mlflow-${today}.tar.zst`);
  expect(existsSync(join(state, 'mlferry'))).toBe(true);
});

test('the CronJob runs a command that works, and tries again after the statuses that pass', async () => {
  const container = z.object({ args: z.array(z.string()), image: z.string() });
  const job = z
    .object({
      kind: z.literal('CronJob'),
      spec: z.object({
        jobTemplate: z.object({
          spec: z.object({
            podFailurePolicy: z.object({
              rules: z.array(z.object({ onExitCodes: z.object({ values: z.array(z.int()) }) })),
            }),
            template: z.object({
              spec: z.object({ restartPolicy: z.literal('Never'), containers: z.array(container) }),
            }),
          }),
        }),
      }),
    })
    .parse(yamlBlocks()[0]).spec.jobTemplate.spec;
  const [{ args = [], image = '' } = {}] = job.template.spec.containers;
  expect(image.endsWith(`/mlferry:${npm.version}`)).toBe(true);
  expect(job.podFailurePolicy.rules[0]?.onExitCodes.values).toEqual([
    errorCodes.UNAVAILABLE.exit,
    errorCodes.NO_SPACE.exit,
  ]);
  const [verb = '', from = '', , ...options] = args;
  await shell(['mlferry', verb, here(from), './copied', ...options].join(' '), {
    XDG_STATE_HOME: join(directory, 'pod'),
  });
  await shell(`mlferry verify ${here(from)} ./copied`);
});

test('the steps of the CI recipe work one after the other', async () => {
  const step = z.object({ run: z.string().optional(), with: z.record(z.string(), z.unknown()).optional() });
  const { jobs } = z
    .object({ jobs: z.object({ backup: z.object({ steps: z.array(step) }) }) })
    .parse(yamlBlocks()[1]);
  const { steps } = jobs.backup;
  const [install, ...commands] = steps.flatMap((step) => step.run ?? []);
  expect(install).toBe(`npm install -g ./${PACKED}`);
  expect(commands).toHaveLength(2);
  for (const command of commands) await shell(here(command), { XDG_STATE_HOME: join(directory, 'ci') });
  const kept = String(steps.at(-1)?.with?.path).split('\n');
  expect(kept.filter((name) => !existsSync(join(directory, name)))).toEqual([]);
  expect(JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8'))).toMatchObject({ exit_status: 0 });
});

test('the Dockerfile names what is there, and the package that it installs runs its demo', async () => {
  const steps = read('Dockerfile')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => /^([A-Z]+) +(.*)$/.exec(line)?.slice(1) ?? [line]);
  expect(steps.map(([instruction]) => instruction).join(' ')).toBe(
    'FROM WORKDIR COPY RUN FROM COPY RUN USER WORKDIR ENV ENTRYPOINT',
  );
  const of = (instruction: string) =>
    steps.flatMap(([name, rest = '']) => (name === instruction ? [rest] : []));
  expect(of('ENTRYPOINT')).toEqual([JSON.stringify(Object.keys(npm.bin))]);
  const [build = '', install = ''] = of('RUN');
  for (const [, script = ''] of build.matchAll(/npm run (\S+)/g)) expect(npm.scripts).toHaveProperty(script);
  const packed = /--pack-destination (\S+)/.exec(build)?.[1] ?? 'none';
  expect(of('COPY').at(-1)).toContain(`${packed}/mlferry-*.tgz`);
  expect(install).toContain('npm install -g /tmp/mlferry.tgz');
  const data = of('WORKDIR').at(-1) ?? '';
  expect(install).toContain(`mkdir ${data} && chown ${of('USER')[0]}:${of('USER')[0]} ${data}`);
  expect(of('ENV')[0]).toMatch(new RegExp(`^XDG_STATE_HOME=${data}/`));
  // What is to be built from has to be sent to Docker, and what is made there anew has not.
  expect(read('.dockerignore').split('\n').filter(Boolean).sort()).toEqual(
    read('.gitignore')
      .split('\n')
      .filter((line) => line !== '' && line !== '.DS_Store')
      .map((line) => line.replace(/\/$/, ''))
      .concat('.git')
      .sort(),
  );

  // The packed file, with this checkout's dependencies in the place of those from a registry.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: ROOT });
  const installed = join(directory, 'lib/node_modules/mlferry');
  await shell(`mkdir -p ${installed} && tar xzf ${PACKED} -C ${installed} --strip-components 1`);
  await shell(
    `ln -s ${join(ROOT, 'node_modules')} ${join(directory, 'lib/node_modules/mlferry/node_modules')}`,
  );
  const bin = join(installed, npm.bin.mlferry ?? '');
  const demo = await shell(`"${process.execPath}" "${bin}" demo`, {
    XDG_STATE_HOME: join(directory, 'data'),
  });
  expect(demo.stdout + demo.stderr).toMatch(/Same/);
});
