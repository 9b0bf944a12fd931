/* One patient's answer, added up from a baseline: the bars restack, and the end of them stays. */
(() => {
  "use strict";

  const SHOWN = 10; // bars of their own; the rest is one
  const [NARROW, WIDE] = [400, 640]; // of the picture, in its own units: names and numbers keep their size
  const [ROW, TOP] = [20, 34];
  const [NAMES, NUMBERS] = [150, 50]; // beside the bars

  /** The largest shares in their order, and the sum of the others. */
  function ranked(shares) {
    const order = shares.map((_, j) => j).sort((a, b) => Math.abs(shares[b]) - Math.abs(shares[a]) || a - b);
    const rest = order.slice(SHOWN).reduce((sum, j) => sum + shares[j], 0);
    return { top: order.slice(0, SHOWN), rest };
  }

  /** Where each bar begins, and where the last one ends. */
  function stacked(start, shares) {
    const { top, rest } = ranked(shares);
    const ends = [start];
    for (const share of [...top.map((j) => shares[j]), rest]) ends.push(ends.at(-1) + share);
    return ends;
  }

  function mount(root, data, kit) {
    const { svg, set, format } = kit;
    const number = (value) => format(value, "+.2f");
    kit.invite(root, "Choose with whom the patient is compared: the bars change, and where they end does not. Then choose another training.");
    const width = Math.min(WIDE, Math.max(NARROW, root.clientWidth));
    const bottom = TOP + (SHOWN + 3) * ROW;
    const middle = (row) => TOP + (row + 0.5) * ROW;
    const panel = kit.panel(root, { width, height: bottom + 40, label: "The patient’s answer, added up" });
    panel.style.maxWidth = `${WIDE}px`;
    const frame = svg("g", { "aria-hidden": "true" }, panel);

    const glide = kit.calm ? null : "transition: x 0.4s, width 0.4s";
    const rows = Array.from({ length: SHOWN + 3 }, (_, row) => ({
      name: svg("text", { x: NAMES - 8, y: middle(row) + 4, "text-anchor": "end" }, panel),
      bar: svg("rect", { y: middle(row) - 7, height: 14, style: glide }, panel),
      value: svg("text", { class: "value", x: width, y: middle(row) + 4, "text-anchor": "end" }, panel),
    }));
    const read = kit.html("p", { class: "read" }, root);

    let x; // of one network: all its accounts fit

    /** Draw the axis, the line between the two answers, and the network's answer. */
    function draw(network) {
      const all = network.shares.flatMap((shares, b) => stacked(network.starts[b], shares));
      const ends = [Math.min(0, ...all), Math.max(0, ...all)];
      const margin = 0.04 * (ends[1] - ends[0]);
      x = kit.linear([ends[0] - margin, ends[1] + margin], [NAMES, width - NUMBERS]);
      const step = ends[1] - ends[0] > 6 ? 2 : 1;
      const ticks = [];
      for (let v = Math.ceil(ends[0] / step) * step; v <= ends[1]; v += step) ticks.push([v, v ? format(v, "+d") : "0"]);
      const y = kit.linear([0, 1], [bottom, TOP]);
      kit.axes(kit.clear(frame), { x, y, xTicks: ticks, xLabel: "log-odds of malignant" });
      const line = (value, look) =>
        svg("line", { x1: x(value), x2: x(value), y1: TOP - 4, y2: bottom, stroke: "var(--ink)", ...look }, frame);
      line(0);
      line(network.end, { class: "goal", "stroke-dasharray": "5 3" });
      svg("text", { x: x(0) - 5, y: TOP - 10, "text-anchor": "end", text: "benign" }, frame);
      svg("text", { x: x(0) + 5, y: TOP - 10, text: "malignant" }, frame);
    }

    /** Fill one row: a bar from one place to another, or a mark where both are the same. */
    function fill(row, name, value, from, to, color) {
      const { name: words, bar, value: figure } = rows[row];
      words.textContent = name;
      figure.textContent = number(value);
      const [left, right] = [Math.min(x(from), x(to)), Math.max(x(from), x(to))];
      const thin = from === to;
      set(bar, { x: thin ? left - 1.5 : left, width: thin ? 3 : right - left, fill: color });
    }

    const state = { seed: 0, baseline: 0 };
    function show() {
      const { end, starts, shares } = data.networks[state.seed];
      const [from, own] = [starts[state.baseline], shares[state.baseline]];
      const { top, rest } = ranked(own);
      const places = stacked(from, own);
      fill(0, data.baselines[state.baseline], from, from, from, "var(--ink)");
      top.forEach((j, i) => {
        const color = own[j] > 0 ? "var(--positive)" : "var(--negative)";
        fill(i + 1, data.names[j], own[j], places[i], places[i + 1], color);
      });
      fill(SHOWN + 1, `sum of the other ${own.length - SHOWN}`, rest, places[SHOWN], places[SHOWN + 1], "var(--muted)");
      fill(SHOWN + 2, "our patient", end, end, end, "var(--ink)");
      const sum = own.reduce((total, share) => total + share, 0);
      read.textContent =
        `Seed ${state.seed}, ${data.baselines[state.baseline]}: from the network’s answer there, ${number(from)}, to its ` +
        `answer for our patient, ${number(end)}. The ${own.length} shares add up to ${number(sum)}.`;
      const largest = top.slice(0, 3).map((j) => `${data.names[j]} ${number(own[j])}`);
      kit.say(`${read.textContent} The largest: ${largest.join(", ")}.`);
    }

    kit.choice(root, {
      label: "Compared with",
      options: data.baselines.map((name, i) => [i, name]),
      value: state.baseline,
      change: (value) => ((state.baseline = value), show()),
    });
    kit.choice(root, {
      label: "Training with seed",
      options: data.networks.map((_, i) => [i, String(i)]),
      value: state.seed,
      change: (value) => ((state.seed = value), draw(data.networks[value]), show()),
    });
    draw(data.networks[state.seed]);
    show();
  }

  xaiExplorables.register("waterfall", mount);
})();
