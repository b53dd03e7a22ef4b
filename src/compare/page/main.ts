import type { Comparison } from '../comparison.ts';
import { button, dropDown, element, labelled, tick } from './element.ts';
import { createFigures } from './figures.ts';
import { fromFragment, type State, toFragment } from './state.ts';
import { drawTable } from './table.ts';
import { createView } from './view.ts';

/** A text of the page that is packed: base64 of gzip. */
async function packed(id: string): Promise<string> {
  const text = document.getElementById(id)?.textContent ?? '';
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

/** The page: draws it, and keeps what is chosen in the fragment of its address. */
async function main(): Promise<void> {
  // mlferry wrote it into this very page.
  const comparison: Comparison = JSON.parse(await packed('data'));
  const table = element('div');
  const controls = element('div', { class: 'controls' });
  let own = '';
  const refresh = () => {
    own = toFragment(view.state, view.first);
    history.replaceState(null, '', own === '' ? location.href.replace(/#.*$/, '') : `#${own}`);
    drawAll();
  };
  const view = createView(comparison, refresh);
  view.set(fromFragment(location.hash, view.first));

  const fields = tableControls(view);
  controls.append(...fields.elements);
  const body = element('main', {}, element('h1', {}, titleOf(comparison)), placesOf(comparison));
  body.append(
    element(
      'section',
      { id: 'table', 'aria-labelledby': 'table-head' },
      element('h2', { id: 'table-head' }, 'Table'),
      controls,
      table,
    ),
  );
  document.body.replaceChildren(
    element('a', { class: 'skip', href: '#table-head' }, 'Skip to the table'),
    body,
    ...document.querySelectorAll('script'),
  );
  const drawTableAndTheme = () => {
    setTheme(view.state.theme);
    fields.show(view.state);
    drawTable(view, table);
  };
  let figures: ReturnType<typeof createFigures> = [];
  const drawAll = () => {
    drawTableAndTheme();
    for (const figure of figures) {
      figure.controls();
      figure.redraw();
    }
  };
  drawTableAndTheme();

  const script = document.createElement('script');
  script.textContent = await packed('plotly');
  document.head.append(script);
  figures = createFigures(view);
  for (const figure of figures) {
    figure.controls();
    body.append(figure.element);
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  addEventListener('beforeprint', () => {
    document.documentElement.dataset.theme = 'light';
  });
  addEventListener('afterprint', () => setTheme(view.state.theme));
  addEventListener('hashchange', () => {
    if (location.hash.replace(/^#/, '') === own || location.hash === '#table-head') return;
    view.set(fromFragment(location.hash, view.first));
    drawAll();
  });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

const titleOf = ({ runs }: Comparison) => `${runs.length} runs side by side`;

function placesOf({ places }: Comparison): HTMLElement {
  return element('p', { class: 'note' }, `Read from ${places.join(', ')}`);
}

function setTheme(theme: State['theme']): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** The controls of the table: made once, so that nobody loses the place where he types. */
function tableControls(view: ReturnType<typeof createView>) {
  const all = tick('What is the same in all runs too', view.state.all, (isOn) => view.change({ all: isOn }));
  const search = (name: 'runsContaining' | 'namesContaining') => {
    const field = element('input', { type: 'search', value: view.state[name] });
    field.addEventListener('input', () => view.change({ [name]: field.value }));
    return field;
  };
  const runs = search('runsContaining');
  const names = search('namesContaining');
  const ways: ReadonlyArray<readonly [State['runsAs'], string]> = [
    ['columns', 'columns'],
    ['rows', 'rows'],
  ];
  const runsAs = dropDown(view.state.runsAs, [['', ways]], (value) =>
    view.change({ runsAs: value === 'rows' ? 'rows' : 'columns' }),
  );
  const themes: ReadonlyArray<readonly [State['theme'], string]> = [
    ['system', 'as the system'],
    ['light', 'light'],
    ['dark', 'dark'],
  ];
  const theme = dropDown(view.state.theme, [['', themes]], (value) =>
    view.change({ theme: themes.find(([each]) => each === value)?.[0] ?? 'system' }),
  );
  return {
    elements: [
      all,
      labelled('Runs containing', runs),
      labelled('Names containing', names),
      labelled('Runs as', runsAs),
      labelled('Theme', theme),
      button('Reset all', () => view.change(view.first)),
    ],
    /** Shows what is chosen by other means: a link, Reset. */
    show(state: State) {
      const box = all.querySelector('input');
      if (box !== null) box.checked = state.all;
      if (runs.value !== state.runsContaining) runs.value = state.runsContaining;
      if (names.value !== state.namesContaining) names.value = state.namesContaining;
      runsAs.value = state.runsAs;
      theme.value = state.theme;
    },
  };
}

main().catch((error: unknown) => {
  document.body.prepend(element('p', { role: 'alert' }, `This page could not be drawn: ${String(error)}`));
});
