/* All regions of a network with two inputs. A reader puts a row somewhere and turns the direction of a walk; the page
   says where the region ends, which neuron switches there, and what the slope is on both sides. */
xaiExplorables.register("walk-to-facet", (root, data, kit) => {
  "use strict";
  const { unpacked, points } = xaiExplorables.networks;
  const { format, svg, set, html } = kit;
  const SPANS = [0.1, 0.2, 0.4, 0.8, 1.6]; // half the width of the lens
  const WALK = 100; // of the lens' pixels: the radius of the dial

  const net = unpacked(data.network);
  const rows = points(data.rows);
  const key = (pattern) => pattern.map((layer) => layer.join("")).join("");
  const regions = net.regions(data.box).map((one) => ({ ...one, rows: 0, tests: 0 }));
  const byKey = new Map(regions.map((one) => [key(one.pattern), one]));
  const find = (point) => byKey.get(key(net.pattern(point)));
  for (const row of rows) find(row).rows += 1;
  for (const row of points(data.tests)) find(row).tests += 1;
  for (const one of regions) {
    const ends = (i) => one.corners.map((p) => p[i]);
    one.bounds = [0, 1].map((i) => [Math.min(...ends(i)), Math.max(...ends(i))]);
  }

  let [angle, least, only] = [0, 5, false];
  const kind = (one) => {
    if (only) return one.rows >= least ? "rows" : "none";
    return one.rows ? "rows" : one.tests ? "tests" : "none";
  };

  kit.invite(
    root,
    "Drag the row in the first picture, and the end of the arrow in the second. How far does the explanation of a row reach, " +
      "and how much does the slope change behind the border? Arrow keys move both points, too.",
  );

  // --- two panels: the box, and a lens around the row ---------------------------------------------------------------
  const { map, ground, x, y, cover } = kit.plane(root, {
    box: data.box, height: 336, label: "All regions, and the row",
  });
  const { glass, near, width, around } = kit.lens(root, { height: 336, label: "The row's region, enlarged" });
  const center = around([0, 0], 1).map((scale) => scale(0));
  const outline = (corners, sx, sy) => `${kit.trace(corners, sx, sy, 1)}Z`;
  const KINDS = ["none", "tests", "rows"];
  const layer = (parent) => new Map(KINDS.map((name) => [name, svg("path", { class: `region ${name}` }, parent)]));
  function fill(paths, some, sx, sy) {
    for (const name of KINDS) {
      const lines = some.filter((one) => kind(one) === name).map((one) => outline(one.corners, sx, sy));
      set(paths.get(name), { d: lines.join("") || "M0,0" });
    }
  }

  const whole = layer(ground);
  const frame = svg("rect", { class: "frame" }, map);

  const close = layer(near);
  const behind = svg("path", { class: "region behind" }, near);
  const home = svg("path", { class: "region home" }, near);
  const dots = svg("path", { class: "dots" }, near);
  svg("path", { class: "centre", d: `M${center[0] - 5},${center[1]}h10m-5,-5v10` }, near);
  svg("circle", { class: "dial", cx: center[0], cy: center[1], r: WALK }, near);
  const arrow = svg("line", { class: "arrow", x1: center[0], y1: center[1] }, near);
  const walked = svg("line", { class: "walked", x1: center[0], y1: center[1] }, near);
  const hit = svg("circle", { class: "hit", r: 5 }, near);

  // --- the walk -----------------------------------------------------------------------------------------------------
  /** The end of the region on the way: how far, which neuron, and the local models on both sides. */
  function walk(point, direction) {
    const pattern = net.pattern(point);
    const maps = net.maps(pattern);
    let end = null;
    maps.slice(0, -1).forEach((neurons, l) =>
      neurons.forEach(([a, b, c], i) => {
        const z = a * point[0] + b * point[1] + c;
        const speed = a * direction[0] + b * direction[1];
        const far = -z / speed;
        const leaves = pattern[l][i] ? speed < 0 : speed > 0;
        if (leaves && Number.isFinite(far) && (!end || far < end.far)) end = { far: Math.max(0, far), l, i };
      }),
    );
    const slope = (model) => model[0] * direction[0] + model[1] * direction[1];
    const before = maps.at(-1)[0];
    if (!end) return { before: slope(before) };
    const next = pattern.map((one) => [...one]);
    next[end.l][end.i] = 1 - next[end.l][end.i];
    const after = net.maps(next).at(-1)[0];
    return { ...end, turns: pattern[end.l][end.i] ? "off" : "on", next, before: slope(before), after: slope(after) };
  }

  const table = html("table", { class: "read" }, root);
  const cell = (line, name) => html("td", { "data-name": name }, line);
  const titles = html("tr", {}, html("thead", {}, table));
  for (const text of ["", "here", "behind the facet"]) html("th", { scope: "col", text }, titles);
  const body = html("tbody", {}, table);
  const line = (text, names) => {
    const one = html("tr", {}, body);
    html("th", { scope: "row", text }, one);
    return names.map((name) => cell(one, name));
  };
  const counts = line("training rows in the region", ["rows-before", "rows-after"]);
  const slopes = line("slope of the log-odds along the walk", ["slope-before", "slope-after"]);
  const verdict = html("p", { class: "read", "data-name": "verdict" }, root);

  let row = { x: rows[0][0], y: rows[0][1] };
  function show() {
    const point = [row.x, row.y];
    const turn = (angle * Math.PI) / 180;
    const direction = [Math.cos(turn), Math.sin(turn)];
    const end = walk(point, direction);
    const [here, there] = [find(point), end.next && byKey.get(key(end.next))];
    const span = SPANS.find((one) => one > 1.1 * (end.far ?? Infinity)) || SPANS[SPANS.length - 1];
    const [sx, sy] = around(point, span);

    const inside = ([low, high], middle) => low < middle + span && high > middle - span;
    fill(close, regions.filter((one) => inside(one.bounds[0], row.x) && inside(one.bounds[1], row.y)), sx, sy);
    set(home, { d: here ? outline(here.corners, sx, sy) : null });
    set(behind, { d: there ? outline(there.corners, sx, sy) : null });
    const seen = rows.filter((p) => Math.abs(p[0] - row.x) < span && Math.abs(p[1] - row.y) < span);
    set(dots, { d: seen.map((p) => `M${sx(p[0]).toFixed(1)},${sy(p[1]).toFixed(1)}h0`).join("") || null });
    set(arrow, { x2: center[0] + WALK * direction[0], y2: center[1] - WALK * direction[1] });
    const at = end.next && [row.x + end.far * direction[0], row.y + end.far * direction[1]];
    set(walked, { x2: at ? sx(at[0]) : null, y2: at ? sy(at[1]) : null });
    set(hit, { cx: at ? sx(at[0]) : null, cy: at ? sy(at[1]) : null, display: at ? null : "none" });
    const [left, top] = [x(row.x - span), y(row.y + span)];
    set(frame, { x: left, y: top, width: x(row.x + span) - left, height: y(row.y - span) - top });
    width.textContent = `a window ${format(2 * span, ".1f")} wide`;

    const many = (one) => (one ? String(one.rows) : "outside the box");
    [counts[0].textContent, counts[1].textContent] = [many(here), end.next ? many(there) : "–"];
    slopes[0].textContent = format(end.before, "+.3f");
    slopes[1].textContent = end.next ? format(end.after, "+.3f") : "–";
    verdict.textContent = end.next
      ? `The region ends after ${format(end.far, ".4f")}: neuron ${end.i + 1} of layer ${end.l + 1} turns ${end.turns}.`
      : "No region ends in this direction.";
    if (only && here && here.rows < least)
      verdict.textContent += ` Only ${here.rows} training rows share this explanation.`;
    kit.say(`${verdict.textContent} Slope ${slopes[0].textContent}, behind ${slopes[1].textContent}.`);
  }

  const paint = () => fill(whole, regions, x, y);
  const mover = kit.handle({
    parent: map, surface: cover(), x, y, at: row, step: 0.01, label: "The row",
    words: (at) => `x1 = ${format(at.x, ".2f")}, x2 = ${format(at.y, ".2f")}`,
    move: (at) => ((row = at), show()),
  });
  kit.handle({
    parent: glass, x: kit.turn(), at: { x: angle }, step: 3, label: "Direction of the walk", surface: near,
    words: (at) => `${format(at.x, ".0f")} degrees`,
    to: (at) => [0, 1].map((i) => center[i] + WALK * [Math.cos, (t) => -Math.sin(t)][i]((at.x * Math.PI) / 180)),
    from: ([left, top]) => ({ x: (Math.atan2(center[1] - top, left - center[0]) * 180) / Math.PI }),
    move: (at) => ((angle = at.x), show()),
  });
  kit.tick(root, { label: "colour only regions with at least", change: (value) => ((only = value), paint(), show()) });
  kit.slider(root, {
    label: "training rows:", min: 1, max: 20, step: 1, value: least,
    change: (value) => ((least = value), only && (paint(), show())),
  });
  kit.button(root, {
    label: "Step over the border",
    press: () => {
      const turn = (angle * Math.PI) / 180;
      const { far = 0 } = walk([row.x, row.y], [Math.cos(turn), Math.sin(turn)]);
      mover.put({ x: row.x + (far + 1e-6) * Math.cos(turn), y: row.y + (far + 1e-6) * Math.sin(turn) });
    },
  });
  paint();
  show();
});
