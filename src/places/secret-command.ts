import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { MlferryError } from '../util/errors.ts';
import type { PlaceOptions } from './place-options.ts';

type Environment = PlaceOptions['environment'];

/** What was asked for already, by the environment that names the command: a command runs once in a job. */
const answers = new WeakMap<Environment, Map<string, Promise<string>>>();

/**
 * The secret that a command prints which the variable `name` holds, run by the shell, without what ends its last line. What the
 * command writes to stderr is shown; neither it nor its output is ever in a message. `undefined`: there is no such variable. Throws
 * CREDENTIALS when the command fails or prints nothing.
 */
export async function secretOfCommand(environment: Environment, name: string): Promise<string | undefined> {
  const command = environment[name];
  if (command === undefined || command === '') return undefined;
  const known = answers.get(environment) ?? new Map<string, Promise<string>>();
  answers.set(environment, known);
  const answer = known.get(name) ?? run(command, name, environment);
  known.set(name, answer);
  return answer;
}

async function run(command: string, name: string, environment: Environment): Promise<string> {
  const child = spawn(command, { shell: true, env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', ({ message }) => resolve(message));
    child.on('close', (status, signal) => resolve(status === 0 ? undefined : `status ${status ?? signal}`));
  });
  const [printed, problem] = await Promise.all([text(child.stdout), ended]);
  if (problem !== undefined) throw failed(`The command in ${name} failed: ${problem}`);
  const secret = printed.replace(/\r?\n$/, '');
  if (secret === '') throw failed(`The command in ${name} printed nothing`);
  return secret;
}

function failed(message: string): MlferryError {
  return new MlferryError('CREDENTIALS', message, {
    hint: 'It is a command for the shell that prints the secret and nothing else, and exits with 0.',
  });
}
