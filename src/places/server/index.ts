import { describePlace } from '../descriptor.ts';
import { serverIdentity, serverLocation } from './location.ts';
import { SERVER_TRAITS } from './traits.ts';

/** An MLflow tracking server over REST, Databricks' too. */
export const server = describePlace({
  kind: 'server',
  words: {
    name: 'tracking server',
    inMany: 'on tracking servers',
    short: ['a server URL', 'databricks[://PROFILE]'],
    forms: [
      ['http(s)://host[:port][/prefix][?workspace=NAME]', 'an MLflow tracking server'],
      ['databricks databricks://PROFILE', 'a Databricks workspace'],
    ],
    example: 'http://localhost:5000',
  },
  traits: SERVER_TRAITS,
  claim: serverLocation,
  identity: serverIdentity,
  chosen: (location) => (location.kind === 'url' ? location.shown : undefined),
  reader: async () => (await import('./read/reader.ts')).openServerReader,
  writer: async () => (await import('./write/writer.ts')).openServerWriter,
  manager: async () => (await import('./manage/manager.ts')).openServerManager,
});
