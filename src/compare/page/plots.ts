import { smoothed, surfaceOf } from './curves.ts';
import type { Dimension } from './dimension.ts';
import { plainLabel } from './plain-label.ts';
import type { Settings } from './plotly.ts';
import type { State } from './state.ts';
import { cellText } from './table.ts';
import type { View } from './view.ts';

/** What plotly draws. */
export interface Plot {
  readonly traces: readonly Settings[];
  readonly layout: Settings;
  /** What is not drawn, or why nothing is. */
  readonly note: string;
}

/** Of more points than this WebGL draws. */
const MANY_POINTS = 3000;
const COLORS = 'Viridis';
const NOTHING: Plot = {
  traces: [],
  layout: { xaxis: { visible: false }, yaxis: { visible: false } },
  note: 'There is nothing to draw: choose other axes.',
};

/** An axis of a dimension: its name, and the texts of its numbers. */
function axisOf({ label, texts, row }: Dimension): Settings {
  const title = { text: plainLabel(label) };
  if (texts !== undefined)
    return { title, tickvals: texts.map((_, at) => at), ticktext: texts.map((text) => plainLabel(text, 24)) };
  return row.form === 'time' ? { title, type: 'date' } : { title };
}

/** The runs that have a number on all these axes. */
function withAll(runs: readonly number[], dimensions: readonly Dimension[]): number[] {
  return runs.filter((run) => dimensions.every(({ values }) => Number.isFinite(values[run])));
}

const left = (all: number, drawn: number) =>
  all === drawn ? '' : `${all - drawn} runs without a value on these axes are not drawn.`;

const colorsOf = (dimension: Dimension, runs: readonly number[]): Settings => ({
  color: runs.map((run) => dimension.values[run] ?? 0),
  colorscale: COLORS,
  showscale: true,
  colorbar: {
    title: { text: plainLabel(dimension.label, 24), side: 'right' },
    ...(dimension.texts === undefined
      ? {}
      : {
          tickvals: dimension.texts.map((_, at) => at),
          ticktext: dimension.texts.map((text) => plainLabel(text, 16)),
        }),
  },
});

/** A point of a run for the mouse: its name, then its values. */
function hover(view: View, run: number, dimensions: readonly Dimension[]): string {
  const name = plainLabel(view.comparison.runs[run]?.run_name ?? '');
  const values = dimensions.map(
    ({ label, row }) => `${plainLabel(label)}: ${plainLabel(cellText(row.cells[run], row))}`,
  );
  return [name, ...new Set(values)].join('<br>');
}

const found = (view: View, ids: readonly string[]) => ids.flatMap((id) => view.dimensions.get(id) ?? []);

/** All runs over several axes; `ranges` are brushed. */
export function parallel(view: View): Plot {
  const { axes, color, ranges } = view.state;
  const dimensions = found(view, axes);
  const [colored] = found(view, [color]);
  const all = view.comparison.runs.map((_, run) => run);
  const runs = withAll(all, colored === undefined ? dimensions : [...dimensions, colored]);
  if (dimensions.length === 0 || runs.length === 0) return NOTHING;
  return {
    traces: [
      {
        type: 'parcoords',
        line: colored === undefined ? {} : colorsOf(colored, runs),
        labelangle: dimensions.length > 5 ? -12 : 0,
        dimensions: dimensions.map((dimension) => {
          const { id, label, texts } = dimension;
          const own = ranges[id] ?? [];
          return {
            label: plainLabel(label, 28),
            values: runs.map((run) => dimension.values[run] ?? 0),
            ...(own.length === 0 ? {} : { constraintrange: own.length === 1 ? own[0] : own }),
            ...(texts === undefined
              ? {}
              : { tickvals: texts.map((_, at) => at), ticktext: texts.map((text) => plainLabel(text, 20)) }),
          };
        }),
      },
    ],
    layout: { margin: { t: 80, b: 30, l: 90, r: 60 } },
    note: left(all.length, runs.length),
  };
}

/** Two axes, and a third as colour. */
export function scatter(view: View): Plot {
  const [x, y, color] = found(view, [view.state.x, view.state.y, view.state.color]);
  if (x === undefined || y === undefined) return NOTHING;
  const all = view.runs();
  const runs = withAll(all, [x, y, ...(color === undefined ? [] : [color])]);
  if (runs.length === 0) return NOTHING;
  return {
    traces: [
      {
        type: runs.length > MANY_POINTS ? 'scattergl' : 'scatter',
        mode: 'markers',
        x: runs.map((run) => x.values[run]),
        y: runs.map((run) => y.values[run]),
        hovertext: runs.map((run) => hover(view, run, [x, y, ...(color === undefined ? [] : [color])])),
        hoverinfo: 'text',
        marker: { size: 9, opacity: 0.8, ...(color === undefined ? {} : colorsOf(color, runs)) },
      },
    ],
    layout: { xaxis: axisOf(x), yaxis: axisOf(y) },
    note: left(all.length, runs.length),
  };
}

/** A third axis over two: a surface worked out of the runs, which are drawn on it. */
export function contour(view: View): Plot {
  const { contourX, contourY, contourZ } = view.state;
  const [x, y, z] = found(view, [contourX, contourY, contourZ]);
  if (x === undefined || y === undefined || z === undefined) return NOTHING;
  const all = view.runs();
  const runs = withAll(all, [x, y, z]);
  if (runs.length < 2) return NOTHING;
  const value = (dimension: Dimension, run: number) => dimension.values[run] ?? 0;
  const surface = surfaceOf(runs.map((run) => [value(x, run), value(y, run), value(z, run)]));
  return {
    traces: [
      {
        type: 'contour',
        ...surface,
        colorscale: COLORS,
        hoverinfo: 'skip',
        colorbar: { title: { text: plainLabel(z.label, 24), side: 'right' } },
      },
      {
        type: runs.length > MANY_POINTS ? 'scattergl' : 'scatter',
        mode: 'markers',
        x: runs.map((run) => value(x, run)),
        y: runs.map((run) => value(y, run)),
        hovertext: runs.map((run) => hover(view, run, [x, y, z])),
        hoverinfo: 'text',
        marker: { size: 6, color: '#fff', line: { width: 1, color: '#222' } },
      },
    ],
    layout: { xaxis: axisOf(x), yaxis: axisOf(y), showlegend: false },
    note: `The surface is a mean of all runs, the near ones counting most. ${left(all.length, runs.length)}`,
  };
}

const OVER: Readonly<Record<State['over'], string>> = {
  step: 'step',
  time: 'time',
  relative: 'seconds since the first point',
};
/** More curves than this have no legend. */
const MOST_NAMED = 20;
const DASHES = ['solid', 'dash', 'dot', 'dashdot'];

/** The histories of metrics over steps or time. */
export function histories(view: View): Plot {
  const { comparison, state } = view;
  const { keys, over, smoothing, log } = state;
  const order = new Map(view.runs().map((run, at) => [run, at]));
  const drawn = comparison.histories
    .filter(({ run, key }) => keys.includes(key) && order.has(run))
    .toSorted((a, b) => (order.get(a.run) ?? 0) - (order.get(b.run) ?? 0));
  if (drawn.length === 0)
    return { ...NOTHING, note: 'There is no history to draw: choose other metrics or runs.' };
  const points = drawn.reduce((sum, { values }) => sum + values.length, 0);
  const without = new Set(view.runs()).size - new Set(drawn.map(({ run }) => run)).size;
  return {
    traces: drawn.map(({ run, key, steps, times, values }) => {
      const name = comparison.runs[run]?.run_name ?? '';
      const [start = 0] = times;
      return {
        type: points > MANY_POINTS * 5 ? 'scattergl' : 'scatter',
        mode: values.length === 1 ? 'markers' : 'lines',
        name: plainLabel(keys.length > 1 ? `${name} · ${key}` : name),
        x:
          over === 'step'
            ? steps
            : over === 'time'
              ? times.map((time) => new Date(time).toISOString())
              : times.map((time) => (time - start) / 1000),
        y: smoothed(values.map(Number), smoothing).map((value) => (Number.isFinite(value) ? value : null)),
        line: { width: 1.5, dash: DASHES[keys.indexOf(key) % DASHES.length] },
      };
    }),
    layout: {
      xaxis: { title: { text: OVER[over] } },
      yaxis: { type: log ? 'log' : 'linear', title: { text: plainLabel(keys.join(', '), 60) } },
      showlegend: drawn.length <= MOST_NAMED && drawn.length > 1,
    },
    note: without > 0 ? `${without} runs have no history here.` : '',
  };
}

/** A value of the runs of each group. */
export function boxes(view: View): Plot {
  const [value, group] = found(view, [view.state.boxOf, view.state.groupBy]);
  if (value === undefined || group === undefined) return NOTHING;
  const all = view.runs();
  const runs = withAll(all, [value]);
  if (runs.length === 0) return NOTHING;
  const groups = [...Map.groupBy(runs, (run) => cellText(group.row.cells[run], group.row))]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .slice(0, MOST_NAMED * 2);
  return {
    traces: groups.map(([name, own]) => ({
      type: 'box',
      name: plainLabel(name === '' ? '(none)' : name, 24),
      y: own.map((run) => value.values[run]),
      boxpoints: own.length > 200 ? 'outliers' : 'all',
      hovertext: own.map((run) => hover(view, run, [value, group])),
      hoverinfo: 'text+y',
    })),
    layout: {
      xaxis: { type: 'category', title: { text: plainLabel(group.label) } },
      yaxis: axisOf(value),
      showlegend: false,
    },
    note: left(all.length, runs.length),
  };
}
