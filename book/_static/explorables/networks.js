/* A ReLU network in the page: patterns, local linear models and regions, as `xai_course.networks` and
   `xai_course.regions` compute them. A neuron is on where z >= 0. */
(() => {
  "use strict";

  const NEAR = 1e-12; // relative to the terms of a sum: what counts as on a line

  const dot = (a, b) => a.reduce((sum, one, i) => sum + one * b[i], 0);

  /** Return the parts of a convex polygon below and above `a . x + b = 0`; null where there is none. */
  function cut(corners, a, b) {
    const size = Math.abs(b) + Math.max(...corners.map((p) => Math.abs(a[0] * p[0]) + Math.abs(a[1] * p[1])));
    const z = corners.map((p) => {
      const one = a[0] * p[0] + a[1] * p[1] + b;
      return Math.abs(one) <= NEAR * size ? 0 : one;
    });
    if (Math.min(...z) >= 0) return [null, corners];
    if (Math.max(...z) <= 0) return [corners, null];
    const parts = [[], []];
    corners.forEach((point, i) => {
      const before = (i || corners.length) - 1;
      if (z[before] * z[i] < 0) {
        const share = z[before] / (z[before] - z[i]);
        const [p, q] = [corners[before], point];
        const crossing = [p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])];
        parts.forEach((part) => part.push(crossing));
      }
      if (z[i] <= 0) parts[0].push(point);
      if (z[i] >= 0) parts[1].push(point);
    });
    return parts;
  }

  /** A network with ReLU after every layer but the last; `weights[l]` is a list of rows. */
  function network(weights, biases) {
    const last = weights.length - 1;
    const inputs = weights[0][0].length;
    // An affine map of the input is a list of coefficients and, last, the intercept.
    const identity = Array.from({ length: inputs }, (_, i) => Array.from({ length: inputs + 1 }, (_, j) => +(i === j)));
    const through = (maps, layer) =>
      weights[layer].map((row, i) =>
        Array.from({ length: inputs + 1 }, (_, j) => {
          const sum = row.reduce((total, weight, k) => total + weight * maps[k][j], 0);
          return j === inputs ? sum + biases[layer][i] : sum;
        }),
      );
    const muted = (maps, on) => maps.map((map, i) => (on[i] ? map : map.map(() => 0)));

    /** The sums z of every layer at x, the output last. */
    function sums(x) {
      let signal = x;
      return weights.map((matrix, layer) => {
        const z = matrix.map((row, i) => dot(row, signal) + biases[layer][i]);
        signal = z.map((one) => Math.max(0, one));
        return z;
      });
    }
    /** The pattern at x: a list of zeros and ones for each hidden layer. */
    const pattern = (x) => sums(x).slice(0, last).map((z) => z.map((one) => +(one >= 0)));
    /** The affine maps of all layers where this pattern holds, the output's last. */
    function maps(on) {
      let current = identity;
      return weights.map((_, layer) => {
        current = through(layer ? muted(current, on[layer - 1]) : current, layer);
        return current;
      });
    }
    /** All regions of a box with two inputs: their patterns and corners. */
    function regions([[left, right], [bottom, top]]) {
      const corners = [[left, bottom], [right, bottom], [right, top], [left, top]];
      let parts = [{ corners, pattern: [], maps: identity }];
      for (let layer = 0; layer < last; layer += 1) {
        parts = parts.flatMap((part) => {
          const before = layer ? muted(part.maps, part.pattern[layer - 1]) : part.maps;
          const here = through(before, layer);
          let pieces = [{ corners: part.corners, on: [] }];
          for (const map of here) {
            pieces = pieces.flatMap((piece) =>
              cut(piece.corners, map, map[2]).flatMap((half, on) =>
                half ? [{ corners: half, on: [...piece.on, on] }] : [],
              ),
            );
          }
          return pieces.map((one) => ({ corners: one.corners, pattern: [...part.pattern, one.on], maps: here }));
        });
      }
      return parts.map(({ corners: points, pattern: on }) => ({ corners: points, pattern: on }));
    }
    return { sums, pattern, maps, regions };
  }

  /** Read a network that `packed_network` wrote. */
  function unpacked({ shapes, numbers }) {
    const values = xaiExplorables.floats(numbers);
    const take = (n) => values.splice(0, n);
    const layers = shapes.map(([rows, columns]) =>
      columns ? Array.from({ length: rows }, () => take(columns)) : take(rows),
    );
    return network(layers.slice(0, layers.length / 2), layers.slice(layers.length / 2));
  }

  /** Read points of two coordinates that `packed` wrote. */
  function points(numbers) {
    const values = xaiExplorables.floats(numbers);
    return Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i], values[2 * i + 1]]);
  }

  Object.assign(xaiExplorables, { networks: { network, unpacked, points, cut } });
})();
