/** What of a run is taken along. */
export interface Parts {
  readonly metrics: boolean;
  readonly artifacts: boolean;
}
