/** Where a copy stands; sent after every change. */
export interface Progress {
  readonly experiment: string;
  readonly experiments: { done: number; total: number };
  readonly runs: { seen: number; done: number; failed: number };
  readonly points: number;
  readonly bytes: number;
}
