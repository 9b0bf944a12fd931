/* Tests of slopes that are zero: how many p-values are small, on the rows that trained the network and on fresh ones. */
(() => {
  "use strict";

  const BINS = 20; // a letter each, from a on; the first is below 0.05
  const MOST = 0.16; // the top of both pictures
  const KINDS = { naive: "the rows that trained the network", honest: "fresh rows" };
  const COLORS = { naive: "var(--pink)", honest: "var(--green)" }; // as the paper does it, and as we do
  const SHIFTS = { naive: 0.96, honest: 1.04 }; // so that two marks stand side by side

  /** How many p-values lie in each bin. */
  function counted(words) {
    const counts = Array(BINS).fill(0);
    for (const letter of words.join("")) counts[letter.charCodeAt(0) - 97] += 1;
    return counts;
  }
  const sum = (counts) => counts.reduce((total, n) => total + n, 0);
  const shares = (counts) => counts.map((n) => n / sum(counts));

  function mount(root, data, kit) {
    const { svg, set, format } = kit;
    const lengths = Object.keys(data.trainings).map(Number).sort((a, b) => a - b);
    const words = (n, kind) => data.trainings[n][kind].words.split(" ");
    const draws = Math.floor(words(lengths[0], "naive").length / data.draw);
    const state = { length: 1, kind: "naive", draw: 0 };

    kit.invite(root, "Draw again, several times. Then change to fresh rows, or let the networks train longer: no slope is real, so how many p-values should be below 0.05?");
    const y = kit.linear([0, MOST], [236, 42]);
    const percents = [0, 0.05, 0.1, 0.15].map((v) => [v, format(v, ".0%")]);

    const bars = kit.panel(root, { width: 340, height: 276, label: "The p-values of one draw" });
    const across = kit.linear([0, 1], [50, 332]);
    kit.axes(bars, { x: across, y, xTicks: [0, 0.25, 0.5, 0.75, 1], yTicks: percents, xLabel: "p-value" });
    const wide = (across.range[1] - across.range[0]) / BINS;
    const glide = kit.calm ? null : "transition: y 0.3s, height 0.3s";
    const columns = Array.from({ length: BINS }, (_, i) => {
      const look = { fill: "var(--faint)", stroke: "var(--muted)", "stroke-width": 0.7, style: glide };
      return svg("rect", { x: across(i / BINS), width: wide, ...look }, bars);
    });
    const outline = svg("path", { fill: "none", "stroke-width": 2 }, bars);
    const level = (panel, ends) => svg("line", { x1: ends[0], x2: ends[1], y1: y(0.05), y2: y(0.05), stroke: "var(--ink)", "stroke-dasharray": "5 3" }, panel);
    level(bars, across.range);
    const title = (panel, first, second) =>
      [first, second].forEach((text, i) => svg("text", { x: 4, y: 14 + 16 * i, text }, panel));
    title(bars, "Share of the tests with each p-value", "bars: this draw, line: all draws, dashed: even");

    const levels = kit.panel(root, { width: 340, height: 276, label: "The share below 0.05 by length of training" });
    const along = kit.log([8, 250], [50, 332]);
    kit.axes(levels, { x: along, y, xTicks: lengths, yTicks: percents, xLabel: "iterations" });
    level(levels, along.range);
    for (const kind of Object.keys(KINDS)) {
      for (const n of lengths) {
        const [share, error] = [shares(counted(words(n, kind)))[0], data.trainings[n][kind].error];
        const [cx, cy, color] = [along(n * SHIFTS[kind]), y(share), COLORS[kind]];
        const [y1, y2] = [share - 2 * error, share + 2 * error].map(y);
        svg("line", { x1: cx, x2: cx, y1, y2, stroke: color, "stroke-width": 2 }, levels);
        if (kind === "naive") svg("rect", { x: cx - 4, y: cy - 4, width: 8, height: 8, fill: color }, levels);
        else svg("circle", { cx, cy, r: 4.5, fill: color }, levels);
      }
    }
    title(levels, "Share of p-values below 0.05, with two errors", "■ same rows, ● fresh rows, ✕ this draw");
    const cross = svg("path", { class: "here", d: "M-6,-6L6,6M-6,6L6,-6", stroke: "var(--ink)", "stroke-width": 3 }, levels);

    const read = kit.html("p", { class: "read" }, root);
    function show() {
      const n = lengths[state.length];
      const all = words(n, state.kind);
      const own = counted(all.slice(state.draw * data.draw, (state.draw + 1) * data.draw));
      const every = counted(all);
      shares(own).forEach((share, i) => set(columns[i], { y: y(share), height: y(0) - y(share) }));
      const steps = shares(every).map((share, i) => `${i ? "V" : `M${across(0)},`}${y(share)}H${across((i + 1) / BINS)}`);
      set(columns[0], { fill: COLORS[state.kind] });
      set(outline, { d: steps.join(""), stroke: COLORS[state.kind] });
      set(cross, { transform: `translate(${along(n * SHIFTS[state.kind])},${y(own[0] / sum(own))})` });
      read.textContent =
        `${n} iterations, tested on ${KINDS[state.kind]}. Share below 0.05 in draw ${state.draw + 1}, ${data.draw} networks: ` +
        `${own[0]} of ${sum(own)} tests, ${format(own[0] / sum(own), ".1%")}. ` +
        `In all ${format(all.length, "d")} networks: ${format(every[0], "d")} of ${format(sum(every), ",d")}, ` +
        `${format(every[0] / sum(every), ".1%")} ± ${format(data.trainings[n][state.kind].error, ".1%")}. Nominal: 5 %.`;
      kit.say(read.textContent);
    }

    kit.slider(root, {
      label: "Length of the training", min: 0, max: lengths.length - 1, step: 1, value: state.length,
      words: (i) => `${lengths[i]} iterations`,
      change: (i) => ((state.length = i), show()),
    });
    kit.choice(root, {
      label: "Tested on",
      options: Object.entries(KINDS),
      value: state.kind,
      change: (kind) => ((state.kind = kind), show()),
    });
    kit.button(root, { label: "Draw again", press: () => ((state.draw = (state.draw + 1) % draws), show()) });
    show();
  }

  xaiExplorables.register("p-values", mount);
})();
