import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { createIdMap } from '../../src/kinds/id-map.ts';
import { remapModelFile, remapModelFiles } from '../../src/kinds/model-files.ts';

const from = { kind: 'logged_model', id: 'm-1', artifact_uri: 'mlflow-artifacts:/1/models/m-1/artifacts' };
const to = { kind: 'logged_model', id: 'm-9', artifact_uri: 'file:///store/7/models/m-9/artifacts' };
const ids = createIdMap();
ids.of('run').set('r1', 'R1');
ids.of('logged_model').set('m-2', 'm-22');

it.each([
  ['run_id: r1', 'run_id: R1'],
  ["run_id: 'r1'", "run_id: 'R1'"],
  ['run_id: other', 'run_id: other'],
  ['model_id: m-1\r', 'model_id: m-9\r'],
  ['model_uuid: m-2', 'model_uuid: m-22'],
  [`artifact_path: ${from.artifact_uri}`, `artifact_path: ${to.artifact_uri}`],
  [`artifact_path: ${from.artifact_uri}/sub`, `artifact_path: ${to.artifact_uri}/sub`],
  [`artifact_path: ${from.artifact_uri}x`, `artifact_path: ${from.artifact_uri}x`],
  ['artifact_path: model', 'artifact_path: model'],
  ['flavors:\n  run_id: r1\n  model_id: m-1', 'flavors:\n  run_id: r1\n  model_id: m-1'],
  ['metadata: model_id: m-1', 'metadata: model_id: m-1'],
])('%j becomes %j', (line, wanted) => {
  const file = (own: string) => `a: 1\n${own}\nz: run_id: r1\n`;
  expect(remapModelFile(file(line), from, to, ids)).toBe(file(wanted));
});

it('changes MLmodel files at any depth, with their size and hash, and no others', async () => {
  const files: Record<string, Buffer> = {
    MLmodel: Buffer.from('model_id: m-2\n'),
    'deep/MLmodel': Buffer.from('run_id: r1\n'),
    'MLmodel.txt': Buffer.from('run_id: r1\n'),
    'binary/MLmodel': Buffer.from('run_id: r1\n\xff', 'latin1'),
  };
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  let opened = 0;
  const source = {
    async *artifacts() {
      for (const [path, bytes] of Object.entries(files))
        yield { path, size: bytes.length, sha256: sha256(bytes) };
    },
    async open({ path }: { path: string }) {
      opened += 1;
      return Readable.from([files[path] ?? Buffer.alloc(0)], { objectMode: false });
    },
  };
  const mapped = remapModelFiles(source, from, () => to, ids);
  const found: Record<string, string> = {};
  for await (const entry of mapped.artifacts()) {
    const body = await mapped.open(entry);
    const content = await text(body ?? Readable.from([]));
    if (!entry.path.startsWith('binary')) {
      expect(entry.size).toBe(Buffer.byteLength(content));
      expect(entry.sha256).toBe(sha256(Buffer.from(content)));
    }
    found[entry.path] = content;
  }
  expect(found).toEqual({
    MLmodel: 'model_id: m-22\n',
    'deep/MLmodel': 'run_id: R1\n',
    'MLmodel.txt': 'run_id: r1\n',
    'binary/MLmodel': 'run_id: r1\n\ufffd',
  });
  expect(opened).toBe(4);
});
