/* OpenAPI around one row: four questions in a cube, two slopes, and one equation more that tests them. */
xaiExplorables.register("question-cube", (root, data, kit) => {
  "use strict";
  const { unpacked } = xaiExplorables.networks;
  const { format, svg, set, html, clear, trace } = kit;
  const [SMALLEST, EXACT, AGREES] = [-30, 16, 1e-9]; // the edge is a power of two; digits; the page's tolerance
  const net = unpacked(data.network);
  let [row, draw, digits, power, shown] = [0, 0, EXACT, 0, false];

  // --- the service, and what is recovered from it -------------------------------------------------------------------
  /** Round half to even, as NumPy does. */
  function rounded(p) {
    if (digits === EXACT) return p;
    const [size, up] = [p * 10 ** digits, Math.round(p * 10 ** digits)];
    return (size % 1 === 0.5 && up % 2 ? up - 1 : up) / 10 ** digits;
  }
  /** The log-ratio of the two probabilities that the service gives. */
  function ask(point) {
    const logit = net.sums(point).at(-1)[0];
    const top = Math.max(0, logit);
    const sum = Math.exp(-top) + Math.exp(logit - top);
    return Math.log(rounded(Math.exp(logit - top) / sum)) - Math.log(rounded(Math.exp(-top) / sum));
  }
  const questions = (edge) => data.offsets[draw].map((one) => one.map((step, i) => data.rows[row][i] + edge * step));
  /** Solve two equations for the slopes, and see by how much the third one is missed; `fit_and_test` of the page. */
  function recover(edge) {
    const [a, b, c] = data.offsets[draw];
    const value = ask(data.rows[row]);
    const [p, q, r] = questions(edge).map((one) => ask(one) - value);
    const det = a[0] * b[1] - a[1] * b[0];
    const steep = [(p * b[1] - q * a[1]) / det, (a[0] * q - b[0] * p) / det];
    return { value, slopes: steep.map((one) => one / edge), miss: Math.abs(c[0] * steep[0] + c[1] * steep[1] - r) };
  }
  const truth = () => net.maps(net.pattern(data.rows[row])).at(-1)[0].slice(0, 2);
  function error(slopes) {
    const hidden = truth();
    const off = Math.max(...slopes.map((one, i) => Math.abs(one - hidden[i])));
    return off / Math.max(...hidden.map(Math.abs));
  }

  // --- four panels --------------------------------------------------------------------------------------------------
  kit.invite(
    root,
    "Press on a row. Then drag the large dot on the curve, or move it with the arrow keys: each step halves or " +
      "doubles the cube. When do the answers agree? And what becomes of the test when the service rounds?",
  );
  const { map, ground, x, y, cover } = kit.plane(root, {
    box: data.box, height: 330, label: "Rows, the boundary, and the cube around one row",
  });
  const { near, width, around } = kit.lens(root, { height: 330, label: "The cube with its questions, enlarged" });
  const chart = kit.panel(root, { width: 340, height: 256, label: "By how much the equations disagree, by edge" });
  const profile = kit.panel(root, { width: 340, height: 256, label: "Rise of the log-odds along x1, from the row on" });

  const regions = net.regions(data.box);
  const outlines = (sx, sy, some) => some.map((one) => `${trace(one.corners, sx, sy)}Z`).join("");
  const borders = svg("path", { class: "borders", d: outlines(x, y, regions) }, ground);
  svg("path", { class: "boundary", d: `${trace(data.corners, x, y)}Z` }, ground);
  const dots = data.rows.map((p) => {
    const kind = net.sums(p).at(-1)[0] > 0 ? "yes" : "no";
    return svg("circle", { class: `row ${kind}`, cx: x(p[0]), cy: y(p[1]), r: 3 }, ground);
  });
  const frame = svg("rect", { class: "cube" }, map);

  const nearBorders = svg("path", { class: "borders" }, near);
  const nearBoundary = svg("path", { class: "boundary" }, near);
  const [sx, sy] = around([0, 0], 0.75); // in edges of the cube: a quarter is seen beside it
  svg("rect", { class: "cube", x: sx(-0.5), y: sy(0.5), width: sx(0.5) - sx(-0.5), height: sy(-0.5) - sy(0.5) }, near);
  const asked = ["row yes chosen", "question", "question", "test"].map((one) => svg("circle", { class: one, r: 6 }, near));

  const across = kit.linear([SMALLEST, 0], [50, 322]);
  const high = kit.log([1e-16, 100], [204, 22]);
  const tens = (n) => [n, `1e${n < 0 ? "-" : "+"}${String(Math.abs(n)).padStart(2, "0")}`];
  kit.axes(chart, {
    x: across, y: high, xLabel: "edge of the cube",
    xTicks: [-9, -6, -3, 0].map((n) => [n / Math.log10(2), n ? tens(n)[1] : "1"]),
    yTicks: [-15, -12, -9, -6, -3, 0].map((n) => [10 ** n, n ? tens(n)[1] : "1"]),
  });
  const [yTolerance, from, to] = [high(AGREES), across.range[0], across.range[1]];
  svg("line", { class: "tolerance", x1: from, x2: to, y1: yTolerance, y2: yTolerance }, chart);
  svg("text", { class: "note", x: from + 4, y: yTolerance + 14, text: "counts as agreement" }, chart);
  svg("text", { class: "name miss", x: from, y: 12, text: "miss" }, chart);
  const errorName = svg("text", { class: "name error", x: from + 44, y: 12, text: "error of the slopes" }, chart);
  const missLine = svg("path", { class: "line miss" }, chart);
  const errorLine = svg("path", { class: "line error" }, chart);

  const t = kit.linear([-1, 1], [50, 322]);
  svg("text", { class: "name recovered", x: 50, y: 12, text: "rise of the log-odds: recovered" }, profile);
  const hiddenName = svg("text", { class: "name hidden", x: 244, y: 12, text: "hidden" }, profile);
  const scales = svg("g", {}, profile);
  svg("rect", { x: 50, y: 22, width: 272, height: 182 }, svg("clipPath", { id: "question-cube-profile" }, profile));
  const lines = svg("g", { "clip-path": "url(#question-cube-profile)" }, profile);
  const hiddenLine = svg("path", { class: "line hidden" }, lines);
  const recoveredLine = svg("path", { class: "line recovered" }, lines);

  const read = html("div", { class: "read" }, root);
  const says = (name) => html("p", { class: "read", "data-name": name }, read);
  const [verdict, found, secret] = ["verdict", "found", "secret"].map(says);

  // --- drawing ------------------------------------------------------------------------------------------------------
  let all = []; // what is recovered at each power of two
  function curve(values) {
    const seen = values.map((value, i) => [SMALLEST + i, Math.min(100, Math.max(1e-16, value))]);
    // Where an answer rounds to zero there is no equation, and the line is broken.
    let pen = "M";
    return seen.map(([k, value]) => {
      if (Number.isNaN(value)) return (pen = "M"), "";
      const at = `${pen}${across(k).toFixed(1)},${high(value).toFixed(1)}`;
      pen = "L";
      return at;
    }).join("");
  }
  function refit() {
    all = Array.from({ length: 1 - SMALLEST }, (_, i) => recover(2 ** (SMALLEST + i)));
    set(missLine, { d: curve(all.map((one) => one.miss)) });
    set(errorLine, { d: curve(all.map((one) => error(one.slopes))) });
    dots.forEach((dot, i) => set(dot, { class: dot.getAttribute("class").replace(" chosen", "") + (i === row ? " chosen" : "") }));
  }

  function showProfile(edge, { slopes }) {
    const steps = Array.from({ length: 201 }, (_, i) => -1 + i / 100);
    const [px, py] = data.rows[row];
    const logit = (step) => net.sums([px + step * edge, py]).at(-1)[0] - net.sums([px, py]).at(-1)[0];
    const hidden = steps.map((step) => [step, logit(step)]);
    const line = [-1, 1].map((step) => [step, step * slopes[0] * edge]);
    const most = Math.max(1e-12, ...hidden.map((p) => Math.abs(p[1])));
    const v = kit.linear([-1.1 * most, 1.1 * most], [204, 22]);
    set(recoveredLine, { d: slopes.every(Number.isFinite) ? trace(line, t, v) : null });
    set(hiddenLine, { d: trace(hidden, t, v) });
    clear(scales);
    const ticks = [[most, format(most, "+.1g")], [0, "0"], [-most, format(-most, "+.1g")]];
    kit.axes(scales, { x: t, y: v, xTicks: [-1, 0, 1], yTicks: ticks, xLabel: "x₁, in edges from the row" });
  }

  function show() {
    const edge = 2 ** power;
    const here = recover(edge);
    const [px, py] = data.rows[row];
    set(frame, { x: x(px - edge / 2), y: y(py + edge / 2), width: x(edge) - x(0), height: y(0) - y(edge) });
    const [sx, sy] = around([px, py], 0.75 * edge);
    const close = regions.filter((one) => {
      const far = (i) => [Math.min(...one.corners.map((p) => p[i])), Math.max(...one.corners.map((p) => p[i]))];
      return [px, py].every((at, i) => far(i)[0] < at + edge && far(i)[1] > at - edge);
    });
    set(nearBorders, { d: outlines(sx, sy, close) });
    set(nearBoundary, { d: `${trace(data.corners, sx, sy)}Z` });
    [[px, py], ...questions(edge)].forEach((p, i) => set(asked[i], { cx: sx(p[0]), cy: sy(p[1]) }));
    width.textContent = `the cube has the edge ${format(edge, ".3g")}`;
    for (const node of [borders, nearBorders, errorLine, errorName, hiddenLine, hiddenName])
      set(node, { visibility: shown ? null : "hidden" });
    showProfile(edge, here);

    const pair = (values) => values.map((one) => format(one, "+.3f")).join(" and ");
    const lost = !Number.isFinite(here.miss);
    const size16 = here.miss < AGREES ? "less than 1e-09" : format(here.miss, ".1e");
    const zero = here.slopes.every((one) => one === 0);
    verdict.textContent = lost
      ? "An answer rounds to zero: there is no equation."
      : `The last answer misses the line by ${size16}: the answers ${here.miss < AGREES ? "agree" : "do not agree"}.` +
        (zero ? " They all round to the same number." : "");
    found.textContent = lost ? "" : `Recovered slopes: ${pair(here.slopes)}.`;
    secret.textContent =
      shown && !lost ? `Hidden slopes: ${pair(truth())}. Error: ${format(error(here.slopes), ".1e")} of the largest.` : "";
    kit.say(`Edge ${format(edge, ".3g")}. ${verdict.textContent} ${found.textContent} ${secret.textContent}`);
  }

  const clamp = (miss) => (Number.isFinite(miss) ? Math.min(100, Math.max(1e-16, miss)) : 1e-16);
  const surface = svg("rect", { class: "surface", x: from, y: 22, width: to - from, height: 182 }, chart);
  const handle = kit.handle({
    parent: chart, surface, x: across, at: { x: power }, step: 1, label: "Edge of the cube",
    words: (at) => `edge ${format(2 ** at.x, ".3g")}`,
    to: (at) => [across(at.x), high(clamp(recover(2 ** at.x).miss))],
    from: ([place]) => ({ x: Math.round(across.invert(place)) }),
    move: (at) => ((power = at.x), show()),
  });
  const again = () => (refit(), handle.show(), show());

  const rows = kit.slider(root, {
    label: "Row", min: 0, max: data.rows.length - 1, step: 1, value: row, words: (value) => String(value + 1),
    change: (value) => ((row = value), again()),
  });
  set(cover(), {
    on: {
      click: (event) => {
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
        const far = data.rows.map((p) => Math.hypot(x(p[0]) - at.x, y(p[1]) - at.y));
        rows.put(far.indexOf(Math.min(...far)));
      },
    },
  });
  kit.slider(root, {
    label: "The service rounds to", min: 2, max: EXACT, step: 1, value: digits,
    words: (value) => (value === EXACT ? "nothing" : `${value} digits`),
    change: (value) => ((digits = value), again()),
  });
  kit.tick(root, { label: "show what the service hides", change: (value) => ((shown = value), show()) });
  kit.button(root, {
    label: "Other questions",
    press: () => ((draw = (draw + 1) % data.offsets.length), again()),
  });
  again();
});
