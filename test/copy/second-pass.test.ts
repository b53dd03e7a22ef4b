import { describe, expect, it } from 'vitest';
import { type OpenReferences, secondPassOf } from '../../src/copy/second-pass.ts';

const open = (tags: Array<[string, string]>, digest?: string): OpenReferences => ({
  source: { run_id: 'child', artifact_uri: '' },
  own: { run_id: 'CHILD', experiment_id: '7', artifact_uri: '' },
  experiment_name: 'e',
  tags: new Map(tags),
  digest,
});

const none: ReadonlySet<string> = new Set();

const passOf = (
  open: readonly OpenReferences[],
  runIds: Map<string, string>,
  writer: Parameters<typeof secondPassOf>[3],
  failed: ReadonlySet<string>,
) => secondPassOf(open, runIds, new Map([['m-1', 'm-one']]), writer, failed);

describe('secondPassOf', () => {
  it('sets a parent that was copied after its child, removes the stand-in, and completes the run', async () => {
    const { runs: tags, losses } = await passOf(
      [open([['mlflow.parentRunId', 'p']], 'd')],
      new Map([['p', 'P']]),
      {},
      none,
    );
    expect(losses).toEqual([]);
    expect(tags).toEqual([
      {
        run_id: 'CHILD',
        experiment_id: '7',
        tags: { 'mlflow.parentRunId': 'P', 'mlferry.origin_parent': null, 'mlferry.digest': 'd' },
      },
    ]);
  });

  it('looks a parent outside the selection up once, on the target', async () => {
    const asked: string[] = [];
    const findRuns = async (ids: readonly string[]) => {
      asked.push(...ids);
      return new Map([['p', 'P']]);
    };
    const all = ['p', 'p', 'q', 'q'].map((parent) => open([['mlflow.parentRunId', parent]]));
    const { runs: tags, losses } = await passOf(all, new Map(), { findRuns }, none);
    expect(asked).toEqual(['p', 'q']);
    expect(tags.map((entry) => entry.tags['mlflow.parentRunId'])).toEqual(['P', 'P']);
    expect(losses.map(({ code, run_id }) => [code, run_id])).toEqual([
      ['PARENT_NOT_COPIED', 'child'],
      ['PARENT_NOT_COPIED', 'child'],
    ]);
  });

  it('mends URIs in other tags and keeps what is not on the target', async () => {
    const text = 'runs:/p/x runs:/q/y';
    const { runs: tags, losses } = await passOf(
      [open([['note', text]], 'd')],
      new Map([['p', 'P']]),
      {},
      none,
    );
    expect(losses).toMatchObject([{ code: 'REFERENCE_KEPT', run_id: 'child', key: 'note', count: 1 }]);
    expect(tags[0]?.tags).toEqual({ note: 'runs:/P/x runs:/q/y', 'mlferry.digest': 'd' });
  });

  it('mends URIs of runs that were copied with another selection', async () => {
    const findRuns = async () => new Map([['q', 'Q']]);
    const { runs: tags, losses } = await passOf(
      [open([['note', 'runs:/q/y']])],
      new Map(),
      { findRuns },
      none,
    );
    expect(losses).toEqual([]);
    expect(tags[0]?.tags).toEqual({ note: 'runs:/Q/y' });
  });

  it('neither takes another copy of a run that failed, nor completes the run that names it', async () => {
    const asked: string[] = [];
    const findRuns = async (ids: readonly string[]) => {
      asked.push(...ids);
      return new Map(ids.map((id) => [id, id.toUpperCase()]));
    };
    const all = [
      open([['mlflow.parentRunId', 'p']], 'd'),
      open([['note', 'runs:/p/x runs:/q/y']], 'd'),
      open([['note', 'runs:/q/y']], 'd'),
    ];
    const { runs: tags, losses } = await passOf(all, new Map(), { findRuns }, new Set(['p']));
    expect(asked).toEqual(['q']);
    expect(tags.map((entry) => entry.tags)).toEqual([
      { note: 'runs:/p/x runs:/Q/y' },
      { note: 'runs:/Q/y', 'mlferry.digest': 'd' },
    ]);
    expect(losses.map(({ code }) => code)).toEqual(['PARENT_NOT_COPIED', 'REFERENCE_KEPT']);
  });

  it('completes no run whose reference the next pass may mend, when an experiment could not be read', async () => {
    const { runs: tags } = await passOf([open([['note', 'runs:/q/y']], 'd')], new Map(), {}, new Set(['7']));
    expect(tags[0]?.tags).toEqual({ note: 'runs:/q/y' });
  });

  it('links models that are on the target, tells of others, and waits for one that failed', async () => {
    const links = {
      model_inputs: [{ model_id: 'm-1' }, { model_id: 'm-2' }],
      model_outputs: [{ model_id: 'm-1', step: 3 }],
    };
    const run = { ...open([['best', 'models:/m-1 models:/m-2/x']], 'd'), links };
    const { runs, losses } = await passOf([run], new Map(), {}, none);
    expect(runs).toEqual([
      {
        run_id: 'CHILD',
        experiment_id: '7',
        tags: { best: 'models:/m-one models:/m-2/x', 'mlferry.digest': 'd' },
        links: { model_inputs: [{ model_id: 'm-one' }], model_outputs: [{ model_id: 'm-one', step: 3 }] },
      },
    ]);
    expect(losses).toMatchObject([
      { code: 'REFERENCE_KEPT', key: 'best', count: 1 },
      { code: 'MODEL_LINKS', run_id: 'child', count: 1 },
    ]);
    const waiting = await passOf([run], new Map(), {}, new Set(['m-2']));
    expect(waiting.runs[0]?.tags).toEqual({ best: 'models:/m-one models:/m-2/x' });
  });
});
