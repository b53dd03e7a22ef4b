import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mlferry as mlferryIn } from './mlferry.ts';

let directory = '';
const environment = () => ({ XDG_CONFIG_HOME: join(directory, 'config') });
const mlferry = (...args: string[]) => mlferryIn(args, directory, { environment: environment() });
/** What the last word may become. */
const completed = async (...words: string[]) => {
  const { out, status } = await mlferry('complete', '--', ...words);
  expect(status).toBe(0);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t')[0]);
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-completion-'));
  await mlferry('place', 'add', 'samples-here', 'samples/mlruns');
  await mlferry('place', 'add', 'prod', 'http://127.0.0.1:9');
  await cp('samples/mlruns', join(directory, 'mlruns'), { recursive: true });
  const undo = join(directory, 'undo.ndjson');
  const rename = ['wine-classifier', 'wines of = old', '--undo-file', undo];
  await mlferry('experiments', 'rename', join(directory, 'mlruns'), ...rename);
  await mlferry('place', 'add', 'edited', join(directory, 'mlruns'));
  const model = join(directory, 'mlruns/models/wine-quality');
  await mkdir(model, { recursive: true });
  await writeFile(join(model, 'meta.yaml'), 'name: wine-quality\ncreation_timestamp: 1\n');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('complete', () => {
  it.each([
    [['ba'], ['backup']],
    [
      ['runs', 'r'],
      ['restore', 'rename'],
    ],
    [['copy', '--from-i'], ['--from-insecure']],
    [['copy', '--log'], ['--log-file']],
    [
      ['copy', 'p'],
      ['prod', ':files'],
    ],
    [
      ['copy', '-e', 'x', '--concurrency', '2', 'prod', 's'],
      ['samples-here', ':files'],
    ],
    [['runs', 'list', 'samples-here', '-e', 'w'], ['wine-classifier']],
    [['runs', 'list', 'samples/mlruns', '--experiment', 'd'], ['diabetes-elasticnet']],
    [['experiments', 'rename', 'samples-here', 'wine'], ['wine-classifier']],
    [['runs', 'list', 'x', '--columns', 'run_id,run_n'], ['run_id,run_name']],
    [['runs', 'csv', 'x', '--layout', 't'], ['tidy']],
    [['copy', '--id-map', 'x'], [':files']],
    [['copy', '--into', 'x'], []],
    [['place', 'remove', 'p'], ['prod']],
    [['models', 'show', 'edited', 'wine'], ['wine-quality']],
    [['models', 'tag', 'edited', 'a=b', '--registered-model', 'wine'], ['wine-quality']],
    [['models', 'transition', 'x', '--stage', 'A'], ['Archived']],
    [['runs', 'list', 'prod', '-e', ''], []],
    [['runs', 'list', 'samples-here', '--experiment=w'], ['--experiment=wine-classifier']],
    [['runs', 'csv', 'x', '--layout=t'], ['--layout=tidy']],
    [['runs', 'list', 'edited', '-e', 'wines o'], ['wines of = old']],
    [['copy', '--id-map=x'], [':files']],
    [['copy', '--json=x'], []],
    [['nope', 'x'], []],
  ])('%j may become %j', async (words, wanted) => {
    expect((await completed(...words)).sort()).toEqual(wanted.toSorted());
  });

  it('asks the server of a named place with the TLS options of its name', async () => {
    const pem = readFileSync('test/fixtures/tls/server.pem');
    const options = { key: pem, cert: pem };
    const experiments = [{ experiment_id: '1', name: 'behind TLS', lifecycle_stage: 'active' }];
    const server = createServer(options, ({ url }, response) => {
      response.statusCode = url?.includes('/experiments/search') ? 200 : 404;
      response.end(JSON.stringify({ experiments }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const place = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    await mlferry('place', 'add', 'secure', place, '--ca', 'test/fixtures/tls/ca.pem');
    await mlferry('place', 'add', 'unknown', place);
    expect(await completed('runs', 'list', 'secure', '-e', '')).toEqual(['behind TLS']);
    expect(await completed('runs', 'list', 'unknown', '-e', '')).toEqual([]);
    server.close();
    server.closeAllConnections();
  });

  it('is not among the commands that help shows', async () => {
    const { out } = await mlferry('--help');
    expect(out).toContain('completion');
    expect(out).not.toMatch(/^ {2}complete /m);
  });
});

/** What Bash makes of a line when Tab is pressed at its end. */
async function inBash(line: string): Promise<string[]> {
  const { out } = await mlferry('completion', 'bash');
  await writeFile(join(directory, 'completion.bash'), out);
  await writeFile(
    join(directory, 'mlferry'),
    `#!/bin/sh\nexec "${process.execPath}" "${resolve('bin/mlferry.js')}" "$@"\n`,
  );
  await chmod(join(directory, 'mlferry'), 0o755);
  const script = `
    source "$1"
    compopt() { :; }
    COMP_LINE=$2
    # As readline does it: colons and equals signs are words of their own, escaped spaces are none of its ends.
    typed=\${2//:/ : }
    typed=\${typed//=/ = }
    read -ra parts <<< "\${typed//\\\\ /@}"
    COMP_WORDS=("\${parts[@]//@/\\\\ }")
    [[ $2 == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _mlferry
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['-c', script, 'bash', join(directory, 'completion.bash'), line],
    {
      encoding: 'utf8',
      cwd: directory,
      env: { PATH: `${directory}:${process.env.PATH}`, HOME: directory, ...environment() },
    },
  );
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout
    .split('\n')
    .filter((each) => each !== '')
    .sort();
}

describe('the script for Bash', () => {
  it('completes commands, places beside files, and experiments behind an address', async () => {
    expect(await inBash('mlferry resto')).toEqual(['restore']);
    expect(await inBash('mlferry inspect c')).toEqual(['completion.bash', 'config']);
    expect(await inBash('mlferry inspect pr')).toEqual(['prod']);
    expect(await inBash(`mlferry runs list file://${resolve('samples/mlruns')} -e win`)).toEqual([
      'wine-classifier',
    ]);
  });

  it('takes words apart and together that have spaces, quotes and equals signs', async () => {
    expect(await inBash('mlferry runs list edited -e wi')).toEqual(['wines\\ of\\ =\\ old']);
    expect(await inBash('mlferry runs list edited -e wines\\ o')).toEqual(['wines\\ of\\ =\\ old']);
    expect(await inBash('mlferry runs list edited -e "win')).toEqual(['wines of = old']);
    expect(await inBash('mlferry runs list edited --experiment=win')).toEqual(['wines\\ of\\ =\\ old']);
    expect(await inBash('mlferry runs csv x --layout=t')).toEqual(['tidy']);
  });

  it('does not run what was typed', async () => {
    await inBash('mlferry inspect $(>ran) ');
    expect(await inBash('mlferry inspect ra')).toEqual([]);
  });
});

it.each(['zsh', 'fish'])('there is a script for %s', async (shell) => {
  const { out, status } = await mlferry('completion', shell);
  expect(out).toContain('mlferry complete -- ');
  expect(status).toBe(0);
});
