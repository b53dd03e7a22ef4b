/** Values smoothed as TensorBoard does it: a running mean of weight `smoothing` (0 to below 1) that begins without a bias. */
export function smoothed(values: readonly number[], smoothing: number): number[] {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (!Number.isFinite(value) || smoothing === 0) return value;
    mean = mean * smoothing + (1 - smoothing) * value;
    weight = weight * smoothing + (1 - smoothing);
    return mean / weight;
  });
}

/** A surface over two axes, worked out of scattered points. */
export interface Surface {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** A row for each y. */
  readonly z: ReadonlyArray<readonly number[]>;
}

/**
 * The surface of points, `size` × `size`: at each place the mean of all points, the near ones counting most (inverse square of the
 * distance, both axes being as long).
 */
export function surfaceOf(
  points: ReadonlyArray<readonly [x: number, y: number, z: number]>,
  size = 40,
): Surface {
  const axis = (values: readonly number[]) => {
    const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const length = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) - least || 1;
    return { length, at: Array.from({ length: size }, (_, index) => least + (length * index) / (size - 1)) };
  };
  const xs = axis(points.map(([x]) => x));
  const ys = axis(points.map(([, y]) => y));
  const z = ys.at.map((ay) =>
    xs.at.map((ax) => {
      let sum = 0;
      let weights = 0;
      for (const [x, y, value] of points) {
        const distance = ((x - ax) / xs.length) ** 2 + ((y - ay) / ys.length) ** 2;
        const weight = 1 / (distance + 1e-6);
        sum += weight * value;
        weights += weight;
      }
      return sum / weights;
    }),
  );
  return { x: xs.at, y: ys.at, z };
}
