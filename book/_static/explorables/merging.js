/* The merges of CoCircles: slide K and watch sectors join, models turn and the held-out loss go down and up. */
(() => {
  "use strict";

  const SIDE = 1.5; // half the square's side, in the data's units
  const SIZE = 320; // of the square, in the panel's
  const START = 10; // the page's K
  const ROOM = [0.022, 0.08]; // below and above the least loss; a loss above the picture is an arrow at its top
  const WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
  const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

  /** The piece of each pixel, row by row from the top. */
  function pieces(picture) {
    const runs = [...picture.matchAll(/([a-zA-Z])(\d+)/g)];
    return runs.flatMap(([, letter, n]) => Array(Number(n)).fill(LETTERS.indexOf(letter)));
  }

  /** The path around the pixels of each piece. */
  function shapes(image, pixels) {
    const paths = [];
    for (let i = 0; i < image.length; ) {
      let end = i + 1; // a run ends where the piece or the row does
      while (end % pixels && image[end] === image[i]) end += 1;
      paths[image[i]] = `${paths[image[i]] || ""}M${i % pixels},${Math.floor(i / pixels)}h${end - i}v1h${i - end}z`;
      i = end;
    }
    return paths;
  }

  /** The path along the borders of clusters. */
  function borders(image, pixels, cluster) {
    let path = "";
    const differ = (i, j) => cluster[image[i]] !== cluster[image[j]];
    for (let i = 0; i < image.length; i += 1) {
      const [column, row] = [i % pixels, Math.floor(i / pixels)];
      if (column && differ(i, i - 1)) path += `M${column},${row}v1`;
      if (row && differ(i, i - pixels)) path += `M${column},${row}h1`;
    }
    return path;
  }

  const hue = (color) => `hsl(${Math.round(color * 137.508) % 360} 70% 55%)`; // the golden angle: neighbours differ

  function mount(root, data, kit) {
    const { svg, set, clear, format } = kit;
    kit.invite(root, "Slide K from 20 down to 1: sectors join, and the thick lines, where a model changes its mind, turn. When does the loss begin to rise?");
    const map = kit.panel(root, { width: SIZE, height: SIZE, label: "The clusters of the network’s regions" });
    const ground = svg("g", { "fill-opacity": 0.3, "shape-rendering": "crispEdges" }, map);
    const mosaic = svg("image", { width: SIZE, height: SIZE, visibility: "hidden" }, map);
    const edge = svg("path", { fill: "none", stroke: "var(--ink)", "stroke-linecap": "square" }, map);
    const dots = svg("g", { "aria-hidden": "true" }, map);
    const models = svg("g", { stroke: "var(--green)", "stroke-width": 4 }, map);
    const at = kit.linear([-SIDE, SIDE], [0, SIZE]);
    data.rows.forEach(([a, b], i) => {
      const d = data.classes[i] === 0 ? "m-2,0a2,2 0 1 0 4,0a2,2 0 1 0 -4,0" : "m0,-2.6l2.4,4.4h-4.8z"; // or a triangle
      const fill = data.classes[i] === 0 ? "var(--blue)" : "var(--orange)";
      svg("path", { d: `M${at(a)},${SIZE - at(b)}${d}`, fill }, dots);
    });

    const chart = kit.panel(root, { width: 340, height: SIZE, label: "The held-out loss of each K" });
    const most = data.trainings[0].loss.length;
    const x = kit.linear([0.5, most + 0.5], [52, 332]);
    const lowest = Math.min(...data.trainings.flatMap((one) => one.loss));
    const y = kit.linear([lowest - ROOM[0], lowest + ROOM[1]], [SIZE - 40, 30]);
    const ticks = [0.48, 0.5, 0.52, 0.54, 0.56].map((v) => [v, format(v, ".2f")]);
    kit.axes(chart, { x, y, xTicks: [1, 5, 10, 15, 20], yTicks: ticks, xLabel: "K" });
    svg("text", { x: 4, y: 14, text: "held-out loss, with the error of its gap to the least" }, chart);
    const curve = svg("g", { "aria-hidden": "true" }, chart);
    const here = svg("circle", { class: "here", r: 8, fill: "none", stroke: "var(--ink)", "stroke-width": 2.5 }, chart);

    const state = { k: START, training: 0 };
    let image; // the piece of each pixel, of this training

    /** Draw what belongs to a training: its pieces and its curve. */
    function retrain() {
      const one = data.trainings[state.training];
      const scale = `scale(${SIZE / one.pixels})`;
      image = pieces(one.picture);
      set(clear(ground), { transform: scale });
      set(edge, { transform: scale, "stroke-width": (1.4 * one.pixels) / SIZE });
      shapes(image, one.pixels).forEach((d) => svg("path", { d }, ground));
      set(mosaic, { href: `data:image/png;base64,${one.borders}` });
      clear(curve);
      const least = y(one.loss[one.best - 1]);
      const look = { stroke: "var(--muted)", "stroke-dasharray": "4 3" };
      svg("line", { x1: x.range[0], x2: x.range[1], y1: least, y2: least, ...look }, curve);
      one.loss.forEach((loss, i) => {
        const [bar, color, at] = [one.error[i], "var(--green)", x(i + 1)];
        if (loss > y.domain[1]) return svg("path", { d: `M${at},${y.range[1] - 5}l-5,9h10z`, fill: color }, curve);
        svg("line", { x1: at, x2: at, y1: y(loss - bar), y2: y(loss + bar), stroke: color, "stroke-width": 2 }, curve);
        return svg("circle", { cx: at, cy: y(loss), r: 3.5, fill: color }, curve);
      });
      const notes = one.best === one.chosen ? [[one.best, "least loss, and chosen"]] : [[one.best, "least loss"], [one.chosen, "chosen"]];
      notes.forEach(([k, text], i) => {
        const foot = y(one.loss[k - 1] - one.error[k - 1]) + 4;
        svg("path", { d: `M${x(k)},${foot}l-5,9h10z`, fill: "var(--ink)" }, curve);
        svg("text", { class: "mark", x: x(k) - (k < 8 ? 6 : 0), y: foot + 24 + 14 * i, "text-anchor": k < 8 ? "start" : "middle", text: `${text}: K = ${k}` }, curve);
      });
      show();
    }

    function show() {
      const one = data.trainings[state.training];
      const i = state.k - 1;
      const [cluster, colors] = [one.clusters[i], one.colors[i]];
      [...ground.children].forEach((path, piece) => set(path, { fill: hue(colors[cluster[piece]]) }));
      set(edge, { d: borders(image, one.pixels, cluster) });
      clear(models);
      for (const ends of one.lines[i].filter(Boolean)) {
        const [x1, y1, x2, y2] = ends.map(at);
        svg("line", { x1, y1: SIZE - y1, x2, y2: SIZE - y2 }, models);
      }
      set(here, { cx: x(state.k), cy: y(y.clamp(one.loss[i])) });
      const left = colors.length;
      const clusters = `${WORDS[left] || left} cluster${left === 1 ? "" : "s"}`;
      const gap = i === one.best - 1 ? "the least" : `${format(one.gap[i], ".4f")} ± ${format(one.error[i], ".4f")} above the least`;
      read.textContent =
        `Seed ${one.seed}, ${one.regions} regions, K = ${state.k}: ${clusters}${left < state.k ? " left, since small ones joined larger ones" : ""}. ` +
        `Held-out loss ${format(one.loss[i], ".4f")}, ${gap}. The merge decides like the network on ` +
        `${format(one["same side"][i], ".1%")} of the test rows.`;
      kit.say(read.textContent);
    }

    const read = kit.html("p", { class: "read" }, root);
    kit.slider(root, {
      label: "Clusters to merge to, K", min: 1, max: most, step: 1, value: START,
      change: (k) => ((state.k = k), show()),
    });
    kit.tick(root, {
      label: "show the network’s regions",
      change: (shown) => (set(mosaic, { visibility: shown ? null : "hidden" }), set(dots, { opacity: shown ? 0.2 : null })),
    });
    kit.button(root, {
      label: "Another training",
      press: () => ((state.training = (state.training + 1) % data.trainings.length), retrain()),
    });
    retrain();
  }

  xaiExplorables.register("merging", mount);
})();
