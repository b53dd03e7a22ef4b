import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../../src/kinds/json-schemas.ts';
import { schemaFiles } from '../../src/kinds/schema-files.ts';

const directory = new URL('../../schemas/', import.meta.url);

describe('schemas/', () => {
  it('is what src/model/records.ts says (if not: npm run schemas)', async () => {
    const files = schemaFiles(jsonSchemas());
    const names = (await readdir(directory)).filter((name) => name.endsWith('.json'));
    expect(names.sort()).toEqual(Object.keys(files).sort());
    for (const [name, text] of Object.entries(files)) {
      expect(await readFile(new URL(name, directory), 'utf8')).toBe(text);
    }
  });

  it('has each kind, maps of texts, and marks references', () => {
    const schemas = jsonSchemas();
    expect(Object.keys(schemas)).toEqual([
      'header',
      'experiment',
      'run',
      'metrics',
      'artifact',
      'logged_model',
      'registered_model',
      'model_version',
      'trace',
      'scorer',
      'evaluation_dataset',
      'evaluation_dataset_record',
      'webhook',
      'gateway_secret',
      'gateway_model_definition',
      'gateway_endpoint',
      'gateway_guardrail',
      'gateway_budget_policy',
      'object_artifact',
      'left_behind',
      'end',
      'record',
    ]);
    expect(schemas.run).toMatchObject({
      $id: 'urn:mlferry:schema:5:run',
      properties: {
        run_id: { type: 'string', 'x-identifies': 'run' },
        experiment_id: { 'x-references': 'experiment' },
        tags: { type: 'object', additionalProperties: { type: 'string' } },
        latest_metrics: { type: 'object', additionalProperties: { type: 'array', minItems: 3, maxItems: 3 } },
      },
    });
    expect(JSON.stringify(schemas)).not.toMatch(/"(values|identifies|references|mentions|placed)":/);
  });
});
