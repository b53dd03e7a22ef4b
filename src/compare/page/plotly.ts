/** What the page uses of plotly.js, which is put into the page as it comes (plotly.js-strict-dist-min). */

/** A trace, a layout or a change of one: plotly checks them itself. */
export type Settings = Readonly<Record<string, unknown>>;

/** An element that plotly has drawn into. */
export interface Drawn extends HTMLElement {
  readonly data?: ReadonlyArray<{
    readonly dimensions?: ReadonlyArray<{ readonly constraintrange?: unknown }>;
  }>;
  on?(event: string, listener: () => void): void;
}

/** The library. */
export interface Plotly {
  react(into: HTMLElement, traces: readonly Settings[], layout: Settings, config: Settings): Promise<Drawn>;
  purge(element: HTMLElement): void;
}

declare global {
  var Plotly: Plotly;
}
