import { type Dimension, labelOf } from './dimension.ts';
import { button, dropDown, element, labelled, tick } from './element.ts';
import type { Drawn } from './plotly.ts';
import { boxes, contour, histories, type Plot, parallel, scatter } from './plots.ts';
import { type Axis, rangeList, type State } from './state.ts';
import { cellText } from './table.ts';
import type { View } from './view.ts';

/** A plot with its controls. */
export interface Figure {
  readonly element: HTMLElement;
  /** Its controls, as the state has them. */
  controls(): void;
  /** Draws when it is next seen; at once where it is. */
  redraw(): void;
}

/** What differs, then the rest, as the groups of a drop-down. */
function axisGroups(view: View, fits: (dimension: Dimension) => boolean = () => true) {
  const all = [...view.dimensions.values()].filter(fits);
  const options = (differs: boolean) =>
    all.filter(({ row }) => row.differs === differs).map(({ id, label }) => [id, label] as const);
  return [
    ['differ', options(true)],
    ['the same in all runs', options(false)],
  ] as const;
}

function axisChoice(view: View, name: string, axis: Axis): HTMLElement {
  const choose = (value: string) => view.change({ [axis]: value });
  return labelled(name, dropDown(view.state[axis], axisGroups(view), choose));
}

/** A list in which several things are ticked. */
function several(
  name: string,
  options: ReadonlyArray<readonly [value: string, text: string]>,
  chosen: readonly string[],
  choose: (values: string[]) => void,
): HTMLElement {
  const boxes = options.map(([value, text]) =>
    tick(text, chosen.includes(value), (isOn) =>
      choose(isOn ? [...chosen, value] : chosen.filter((each) => each !== value)),
    ),
  );
  return element(
    'details',
    { class: 'several' },
    element('summary', {}, `${name}: ${chosen.length} of ${options.length}`),
    element('div', { class: 'list' }, ...boxes),
  );
}

/** The ranges of the parallel coordinates as fields: what the mouse does on an axis, for the keyboard. */
function rangeFields(view: View): HTMLElement {
  const { axes, ranges } = view.state;
  const fields = axes.flatMap((id): HTMLElement[] => {
    const dimension = view.dimensions.get(id);
    if (dimension === undefined) return [];
    const [range] = ranges[id] ?? [];
    const set = (from: number, to: number) =>
      view.change({
        ranges: { ...ranges, [id]: Number.isNaN(from) || Number.isNaN(to) ? [] : [[from, to]] },
      });
    const { texts, row, label } = dimension;
    if (texts !== undefined) {
      const value = range === undefined ? '' : String(Math.ceil(range[0]));
      const options = texts.map((text, at) => [String(at), text] as const);
      const choose = (at: string) => set(at === '' ? Number.NaN : Number(at) - 0.4, Number(at) + 0.4);
      return [labelled(label, dropDown(value, [['', [['', 'all'], ...options]]], choose))];
    }
    const known = dimension.values.filter(Number.isFinite);
    const least = known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const greatest = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const field = (value: number | undefined, hint: number, other: string) => {
      const input = element('input', {
        type: 'number',
        step: 'any',
        value,
        placeholder: cellText(hint, row),
        'aria-label': `${label}, ${other}`,
      });
      return input;
    };
    const from = field(range?.[0], least, 'from');
    const to = field(range?.[1], greatest, 'to');
    const apply = () => {
      if (from.value === '' && to.value === '') set(Number.NaN, Number.NaN);
      else set(from.value === '' ? least : Number(from.value), to.value === '' ? greatest : Number(to.value));
    };
    from.addEventListener('change', apply);
    to.addEventListener('change', apply);
    return [
      element('div', { class: 'range' }, element('span', {}, label), from, element('span', {}, 'to'), to),
    ];
  });
  const count = Object.values(ranges).filter((own) => own.length > 0).length;
  return element(
    'details',
    { class: 'several' },
    element('summary', {}, `Ranges: ${count === 0 ? 'all' : `${count} set`}`),
    element('div', { class: 'list' }, ...fields),
  );
}

/** Makes the figures of the page, each in a section of its own. */
export function createFigures(view: View): Figure[] {
  return [
    figure(view, 'parallel', 'Parallel coordinates', parallel, () => [
      several(
        'Axes',
        [...view.dimensions.values()]
          .toSorted((a, b) => Number(b.row.differs) - Number(a.row.differs))
          .map(({ id, label }) => [id, label] as const),
        view.state.axes,
        (axes) => view.change({ axes }),
      ),
      axisChoice(view, 'Colour', 'color'),
      rangeFields(view),
      button('Clear ranges', () => view.change({ ranges: {} })),
    ]),
    figure(view, 'scatter', 'Scatter', scatter, () => [
      axisChoice(view, 'Across', 'x'),
      axisChoice(view, 'Up', 'y'),
      axisChoice(view, 'Colour', 'color'),
    ]),
    figure(view, 'contour', 'Contour', contour, () => [
      axisChoice(view, 'Across', 'contourX'),
      axisChoice(view, 'Up', 'contourY'),
      axisChoice(view, 'Height', 'contourZ'),
    ]),
    figure(view, 'histories', 'Histories of metrics', histories, () => historyControls(view)),
    figure(view, 'boxes', 'Groups of runs', boxes, () => [
      axisChoice(view, 'Value', 'boxOf'),
      axisChoice(view, 'Groups by', 'groupBy'),
    ]),
  ];
}

function historyControls(view: View): HTMLElement[] {
  const { state, comparison } = view;
  const keys = [...new Set(comparison.histories.map(({ key }) => key))].sort();
  const smoothing = element('input', {
    type: 'range',
    min: 0,
    max: 0.99,
    step: 0.01,
    value: state.smoothing,
  });
  smoothing.addEventListener('change', () => view.change({ smoothing: Number(smoothing.value) }));
  const ways: ReadonlyArray<readonly [State['over'], string]> = [
    ['step', 'step'],
    ['time', 'time'],
    ['relative', 'time since the first point'],
  ];
  const over = dropDown(state.over, [['', ways]], (value) =>
    view.change({ over: ways.find(([way]) => way === value)?.[0] ?? 'step' }),
  );
  return [
    several(
      'Metrics',
      keys.map((key) => [key, key] as const),
      state.keys,
      (chosen) => view.change({ keys: chosen }),
    ),
    labelled('Over', over),
    labelled('Smoothing', smoothing),
    tick('Logarithmic', state.log, (log) => view.change({ log })),
  ];
}

function figure(
  view: View,
  id: string,
  name: string,
  plotOf: (view: View) => Plot,
  controls: () => HTMLElement[],
): Figure {
  const bar = element('div', { class: 'controls' });
  const canvas: Drawn = element('div', { class: 'plot', role: 'img' });
  const note = element('p', { class: 'note' });
  const section = element(
    'section',
    { id, 'aria-labelledby': `${id}-head` },
    element('h2', { id: `${id}-head` }, name),
    bar,
    canvas,
    note,
  );
  let isSeen = false;
  let isStale = true;
  let isListening = false;
  let isBrushing = false;
  const draw = async () => {
    isStale = false;
    const plot = plotOf(view);
    note.textContent = plot.note;
    canvas.setAttribute('aria-label', `${name}: ${describe(view, id)}`);
    // Of custom properties only what they are used for is worked out.
    const { color: text, borderTopColor: lines } = getComputedStyle(canvas);
    const axis = { gridcolor: lines, zerolinecolor: lines, linecolor: lines, automargin: true };
    const own = plot.layout;
    await Plotly.react(
      canvas,
      plot.traces,
      {
        height: 420,
        margin: { t: 20, b: 64, l: 70, r: 20 },
        paper_bgcolor: 'rgba(0,0,0,0)',
        plot_bgcolor: 'rgba(0,0,0,0)',
        font: { color: text, family: 'system-ui, sans-serif', size: 12 },
        legend: { bgcolor: 'rgba(0,0,0,0)' },
        ...own,
        ...(own.xaxis === undefined ? {} : { xaxis: Object.assign({}, axis, own.xaxis) }),
        ...(own.yaxis === undefined ? {} : { yaxis: Object.assign({}, axis, own.yaxis) }),
      },
      { displayModeBar: false, responsive: true },
    );
    canvas.dataset.traces = String(plot.traces.length);
    if (id !== 'parallel' || isListening || canvas.on === undefined) return;
    isListening = true;
    canvas.on('plotly_restyle', () => {
      const drawn = canvas.data?.[0]?.dimensions ?? [];
      const axes = view.state.axes.filter((axisId) => view.dimensions.has(axisId));
      const ranges = Object.fromEntries(
        axes.map((axisId, at) => [axisId, rangeList(drawn[at]?.constraintrange)] as const),
      );
      if (JSON.stringify(ranges) === JSON.stringify(view.state.ranges)) return;
      // This plot shows it already.
      isBrushing = true;
      view.change({ ranges });
      isBrushing = false;
    });
  };
  new IntersectionObserver(
    (entries) => {
      isSeen = entries.some(({ isIntersecting }) => isIntersecting);
      if (isSeen && isStale) void draw();
    },
    { rootMargin: '300px' },
  ).observe(section);
  addEventListener('beforeprint', () => {
    if (isStale) void draw();
  });
  return {
    element: section,
    controls() {
      const open = new Set(
        [...bar.querySelectorAll('details')].flatMap((each, at) => (each.open ? [at] : [])),
      );
      const focused = [...bar.querySelectorAll<HTMLElement>(FOCUSABLE)].indexOf(
        document.activeElement instanceof HTMLElement ? document.activeElement : bar,
      );
      bar.replaceChildren(...controls());
      for (const [at, each] of [...bar.querySelectorAll('details')].entries()) each.open = open.has(at);
      if (focused !== -1) bar.querySelectorAll<HTMLElement>(FOCUSABLE)[focused]?.focus();
    },
    redraw() {
      if (isBrushing) return;
      isStale = true;
      if (isSeen) void draw();
    },
  };
}

const FOCUSABLE = 'input, select, button, summary';

/** What a plot shows, in words. */
function describe(view: View, id: string): string {
  const { state } = view;
  const name = (axis: string) => {
    const dimension = view.dimensions.get(axis);
    return dimension === undefined ? '' : labelOf(dimension.row);
  };
  const runs = `${view.runs().length} runs`;
  if (id === 'parallel') return `${runs} over ${state.axes.map(name).join(', ')}`;
  if (id === 'scatter') return `${runs}, ${name(state.y)} over ${name(state.x)}`;
  if (id === 'contour')
    return `${runs}, ${name(state.contourZ)} over ${name(state.contourX)} and ${name(state.contourY)}`;
  if (id === 'histories') return `${runs}, ${state.keys.join(', ')} over ${state.over}`;
  return `${runs}, ${name(state.boxOf)} by ${name(state.groupBy)}`;
}
