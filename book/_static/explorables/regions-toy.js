/* The toy network: drag the input, and see which neurons are on, in which region it lies and which formula holds. */
xaiExplorables.register("regions-toy", (root, data, kit) => {
  "use strict";
  const { network } = xaiExplorables.networks;
  const { format, svg, set } = kit;
  const NAMES = ["x₁", "x₂"];
  const LIFTED = { all: [0, 1, 2, 3], one: [3] }; // neurons of the second layer
  let lifted = "all";
  let bias = data.biases[1][0];
  let toy;
  let regions;

  kit.invite(
    root,
    "Drag the cross, or move it with the arrow keys: the formula stays the same inside a region and changes at its " +
      "border. Then lift the biases of the second layer: when do regions disappear?",
  );

  // --- the map ----------------------------------------------------------------------------------------------------
  const { map, ground, x, y, cover } = kit.plane(root, {
    box: data.box, height: 336, label: "The input and its region",
  });
  const plane = svg("g", { class: "plane" }, ground);
  const names = svg("g", { class: "numbers", "aria-hidden": "true" }, ground);

  /** Write each neuron's number where its line leaves the box. */
  function number() {
    kit.clear(names);
    svg("text", { x: x(1) - 2, y: y(1) - 5, text: "1" }, names);
    svg("text", { x: x(-1) - 4, y: y(1) - 5, text: "2" }, names);
    const end = (on, side) => {
      // On the right edge only neuron 2 of the first layer is on, on the left edge only neuron 1.
      const maps = toy.maps([on, []])[1];
      return maps.map((one) => [-(one[0] * side + one[2]) / one[1], one]);
    };
    end([0, 1], 1).forEach(([height], i) => {
      if (Math.abs(height) < 1) svg("text", { x: x(1) + 5, y: y(height) + 4, text: String(i + 3) }, names);
    });
  }

  // --- the network ------------------------------------------------------------------------------------------------
  const drawing = kit.panel(root, { width: 340, height: 336, label: "The network" });
  const columns = [data.weights[0][0].length, ...data.weights.map((matrix) => matrix.length)];
  const across = [36, 130, 228, 312];
  const place = (layer, i) => [across[layer], 160 + (i - (columns[layer] - 1) / 2) * (layer === 2 ? 80 : 130)];
  const wires = data.weights.flatMap((matrix, layer) =>
    matrix.flatMap((row, to) =>
      row.map((weight, from) => {
        const [[x1, y1], [x2, y2]] = [place(layer, from), place(layer + 1, to)];
        return { layer, to, from, node: svg("line", { class: "wire", x1, y1, x2, y2 }, drawing) };
      }),
    ),
  );
  const nodes = columns.map((n, layer) =>
    Array.from({ length: n }, (_, i) => {
      const [cx, cy] = place(layer, i);
      const node = svg("g", { class: "neuron" }, drawing);
      svg("circle", { cx, cy, r: 17 }, node);
      const inner = layer === 0 ? NAMES[i] : layer === 3 ? "f" : String(layer === 1 ? i + 1 : i + 3);
      svg("text", { x: cx, y: cy + 4, "text-anchor": "middle", text: inner }, node);
      const value = svg("text", { class: "value", x: cx, y: cy + 31, "text-anchor": "middle" }, node);
      return { node, value };
    }),
  );
  ["input", "layer 1", "layer 2", "output"].forEach((text, layer) =>
    svg("text", { class: "column", x: across[layer], y: 14, "text-anchor": "middle", text }, drawing),
  );

  // --- what is said -------------------------------------------------------------------------------------------------
  const read = kit.html("p", { class: "read" }, root);
  const tidy = (value) => (Math.abs(value) < 5e-10 ? 0 : value); // no "-0.000" from a rounding error
  const signed = (value) => `${value < 0 ? "−" : "+"} ${format(Math.abs(value), ".3f")}`;

  function show(at) {
    const point = [at.x, at.y];
    const sums = toy.sums(point);
    const pattern = toy.pattern(point);
    const [a, b, c] = toy.maps(pattern)[2][0].map(tidy);
    const same = (region) => String(region.pattern) === String(pattern);
    regions.forEach((region) => set(region.node, { class: same(region) ? "region home" : "region" }));
    const home = regions.find(same);
    if (home) plane.appendChild(home.node); // on top, so that its outline is whole
    const on = [[1, 1], ...pattern, [1]];
    nodes.forEach((layer, l) =>
      layer.forEach(({ node, value }, i) => {
        const isHidden = l === 1 || l === 2;
        set(node, { class: `neuron ${isHidden ? (on[l][i] ? "on" : "off") : ""}` });
        value.textContent = l === 0 ? format(point[i], ".2f") : format(tidy(sums[l - 1][i]), ".3f");
      }),
    );
    wires.forEach(({ layer, to, from, node }) => {
      const carries = on[layer][from] && on[layer + 1][to];
      set(node, { class: carries ? "wire on" : "wire" });
    });
    const name = `(${pattern.map((layer) => layer.join(", ")).join("; ")})`;
    const formula = `f = ${a < 0 ? "−" : ""}${format(Math.abs(a), ".3f")} x₁ ${signed(b)} x₂ ${signed(c)}`;
    const value = format(tidy(sums[2][0]), ".3f");
    const trivial = pattern.some((layer) => layer.every((one) => !one));
    kit.clear(read);
    kit.html("span", { class: "pattern", text: `Pattern ${name}, one of ${regions.length} regions.` }, read);
    kit.html("br", {}, read);
    kit.html("span", { class: "formula", text: `${formula}; here f = ${value}.` }, read);
    if (trivial) read.append(" The pattern is trivial: nothing of the input gets through.");
    kit.say(`Pattern ${name}. ${formula}. Here f is ${value}. ${regions.length} regions.`);
  }

  /** Compute the regions of the lifted network, and draw them. */
  function rebuild() {
    const second = data.biases[1].map((old, i) => (LIFTED[lifted].includes(i) ? bias : old));
    toy = network(data.weights, [data.biases[0], second, data.biases[2]]);
    kit.clear(plane);
    regions = toy.regions(data.box).map((region) => {
      const share = region.pattern[1].reduce((sum, one) => sum + one, 0) / 4;
      const isDead = region.pattern.some((layer) => layer.every((one) => !one));
      const style = `--share: ${isDead ? 0 : 12 + 40 * share}%`;
      return { ...region, node: svg("path", { d: `${kit.trace(region.corners, x, y)}Z`, class: "region", style }, plane) };
    });
    number();
  }

  rebuild();
  const handle = kit.handle({
    parent: map, surface: cover(), x, y, at: { x: data.point[0], y: data.point[1] }, step: 0.02, shape: "cross",
    label: "Input of the network",
    words: (at) => `x1 = ${format(at.x, ".2f")}, x2 = ${format(at.y, ".2f")}`,
    move: show,
  });
  const again = () => (rebuild(), show(handle.at()));
  kit.slider(root, {
    label: "Bias", min: -0.6, max: 0.3, step: 0.05, value: bias, words: (value) => format(value, ".2f"),
    change: (value) => ((bias = value), again()),
  });
  kit.choice(root, {
    label: "of", value: lifted, options: [["all", "neurons 3 to 6"], ["one", "neuron 6 alone"]],
    change: (value) => ((lifted = value), again()),
  });
  show(handle.at());
});
