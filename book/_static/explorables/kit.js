/* What all explorables share: a frame around a still picture, and controls for the mouse, a finger and the keyboard.

An explorable is a still picture that a reader can change. The page holds

    <div class="explorable" data-explorable="NAME">
      <script type="application/json">data</script>
      <div class="still">an img or svg with its alternative text</div>
    </div>

and NAME.js says `xaiExplorables.register("NAME", (root, data, kit) => ...)`, where `root` is an empty box that takes
the still picture's place, `data` what Python wrote, and `kit` the functions below. Without JavaScript, in print and in
Colab the still picture stays. `xai_course.book.explorables` writes the page's part and says which data there are. */
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const PATIENCE = 400; // ms between two announcements, so that a drag does not flood a screen reader
  const FASTER = 10; // steps in one, with Shift
  const makers = new Map();

  // --- numbers, written as Python writes them -------------------------------------------------------------------

  /** Round half to even, as Python does; JavaScript's own `write` rounds an exact half up. */
  function even(write, digits) {
    const [number, power] = write(Math.min(100, digits + 40)).split("e"); // all digits that a half could need
    const [whole, rest] = number.split(".");
    const kept = digits ? `${whole}.${rest.slice(0, digits)}` : whole;
    const isHalf = /^50*$/.test(rest.slice(digits));
    return isHalf && Number(kept.at(-1)) % 2 === 0 ? kept + (power ? `e${power}` : "") : write(digits);
  }
  const fixed = (x, digits) => even((n) => x.toFixed(n), digits);
  function scientific(x, digits) {
    const [mantissa, power] = even((n) => x.toExponential(n), digits).split("e");
    return `${mantissa}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  function general(x, digits) {
    if (x === 0) return "0";
    const power = Number(x.toExponential(digits - 1).split("e")[1]);
    const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power >= -4 && power < digits) return trim(fixed(x, digits - 1 - power));
    const [mantissa, rest] = scientific(x, digits - 1).split("e");
    return `${trim(mantissa)}e${rest}`;
  }

  /** Write a number as Python's `format(x, spec)`; a spec is `[+][,][.digits]` and one of `d f e g %`. */
  function format(x, spec) {
    const parts = /^(\+?)(,?)(?:\.(\d+))?([dfeg%])$/.exec(spec);
    if (!parts) throw new Error(`format: ${spec} is no spec of the kit`);
    const [, plus, comma, precision, kind] = parts;
    const digits = precision === undefined ? 6 : Number(precision);
    const sign = x < 0 || Object.is(x, -0) ? "-" : plus;
    const size = Math.abs(x);
    if (!Number.isFinite(size)) return sign + (Number.isNaN(x) ? "nan" : "inf");
    let text;
    if (kind === "d") text = size.toFixed(0);
    else if (kind === "f") text = fixed(size, digits);
    else if (kind === "e") text = scientific(size, digits);
    else if (kind === "g") text = general(size, digits || 1);
    else text = `${fixed(100 * size, digits)}%`;
    if (comma) text = text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
    return (kind === "d" && size === 0 ? plus : sign) + text;
  }

  /** Read an array of float32 that Python packed as base64. */
  function floats(base64) {
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    return Array.from(new Float32Array(bytes.buffer));
  }

  // --- elements -------------------------------------------------------------------------------------------------

  /** Change an element: `text` is its words, `on` its listeners, anything else an attribute (null takes it away). */
  function set(node, attributes) {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (key === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
      else if (value === null || value === false) node.removeAttribute(key);
      else node.setAttribute(key, value === true ? "" : value);
    }
    return node;
  }

  const add = (node, attributes, parent) => {
    set(node, attributes);
    if (parent) parent.appendChild(node);
    return node;
  };
  const svg = (tag, attributes, parent) => add(document.createElementNS(SVG, tag), attributes, parent);
  const html = (tag, attributes, parent) => add(document.createElement(tag), attributes, parent);
  const clear = (node) => (node.replaceChildren(), node);

  /** An SVG of its own coordinates. Panels stand side by side where there is room: keep them about 340 wide. */
  function panel(parent, { width, height, label }) {
    let row = parent.querySelector(":scope > .panels");
    if (!row) row = html("div", { class: "panels" }, parent);
    const attributes = { class: "panel", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label };
    return svg("svg", attributes, row);
  }

  // --- scales ---------------------------------------------------------------------------------------------------

  /** A map from data to the picture; `invert` leads back, `domain` and `range` are kept. */
  function scale(domain, range, forth, back) {
    const [low, high] = domain.map(forth);
    const map = (value) => range[0] + ((forth(value) - low) / (high - low)) * (range[1] - range[0]);
    map.invert = (at) => back(low + ((at - range[0]) / (range[1] - range[0])) * (high - low));
    map.clamp = (value) => Math.min(Math.max(...domain), Math.max(Math.min(...domain), value));
    return Object.assign(map, { domain, range });
  }
  const linear = (domain, range) => scale(domain, range, (v) => v, (v) => v);
  const log = (domain, range) => scale(domain, range, Math.log10, (v) => 10 ** v);
  /** Degrees, which go round: a step beyond 360 leads to the beginning. */
  const turn = () => Object.assign(linear([0, 360], [0, 360]), { clamp: (v) => ((v % 360) + 360) % 360 });

  /** Draw the two axes of a panel: ticks are numbers, or pairs of a number and its words. */
  function axes(parent, { x, y, xTicks = [], yTicks = [], xLabel, yLabel }) {
    const group = svg("g", { class: "axes", "aria-hidden": "true" }, parent);
    const pair = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick)]);
    const bottom = Math.max(...y.range);
    const left = Math.min(...x.range);
    for (const [value, text] of xTicks.map(pair)) {
      svg("line", { x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }, group);
      svg("text", { x: x(value), y: bottom + 16, "text-anchor": "middle", text }, group);
    }
    for (const [value, text] of yTicks.map(pair)) {
      svg("line", { x1: left - 4, x2: left, y1: y(value), y2: y(value) }, group);
      svg("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end", text }, group);
    }
    svg("path", { d: `M${left},${Math.min(...y.range)}V${bottom}H${Math.max(...x.range)}`, fill: "none" }, group);
    const middle = (range) => (range[0] + range[1]) / 2;
    if (xLabel)
      svg("text", { x: middle(x.range), y: bottom + 32, "text-anchor": "middle", text: xLabel }, group);
    if (yLabel) {
      const at = `translate(${left - 34},${middle(y.range)}) rotate(-90)`;
      svg("text", { transform: at, "text-anchor": "middle", text: yLabel }, group);
    }
    return group;
  }

  // --- a box of two inputs --------------------------------------------------------------------------------------

  const MAP = { x: 42, y: 16, width: 276, height: 276 }; // inside of panels 340 wide
  const LENS = { x: 32, y: 16, width: 276, height: 276 };
  const span = ({ x, y, width, height }) => [[x, x + width], [y + height, y]];

  /** The path through some points, not closed; `x` and `y` are scales. */
  const trace = (points, x, y, digits = 2) =>
    `M${points.map((p) => `${x(p[0]).toFixed(digits)},${y(p[1]).toFixed(digits)}`).join("L")}`;

  /** A panel that shows a box of two inputs. What is put into `ground` lies below the axes; `cover` lays a surface over
   * what is drawn so far, where a press can be heard. */
  function plane(parent, { box, height, label }) {
    const map = panel(parent, { width: 340, height, label });
    const [x, y] = span(MAP).map((range, i) => linear(box[i], range));
    const ground = svg("g", {}, map);
    axes(map, { x, y, xTicks: [-1, 0, 1], yTicks: [-1, 0, 1], xLabel: "x₁" });
    svg("text", { x: 12, y: 158, text: "x₂" }, map);
    return { map, ground, x, y, cover: () => svg("rect", { class: "surface", ...MAP }, map) };
  }

  /** A panel that shows one place of such a box enlarged. What is put into `near` ends at the edge, `width` is the line
   * below, and `around(point, half)` are the two scales with which so much on each side of a point is seen. */
  function lens(parent, { height, label }) {
    const glass = panel(parent, { width: 340, height, label });
    const id = unique("lens");
    svg("rect", LENS, svg("clipPath", { id }, glass));
    const near = svg("g", { "clip-path": `url(#${id})` }, glass);
    svg("rect", { class: "edge", ...LENS }, glass);
    const width = svg("text", { x: LENS.x + LENS.width / 2, y: 310, "text-anchor": "middle" }, glass);
    const around = (point, half) =>
      span(LENS).map((range, i) => linear([point[i] - half, point[i] + half], range));
    return { glass, near, width, around };
  }

  // --- a point to drag ------------------------------------------------------------------------------------------

  /** A point that moves by mouse, finger and keys.
   *
   * Arrow keys move it by `step` (one number, or one for x and one for y), with Shift ten times as far. Home and End
   * lead to the ends of x (of y, if only y moves); with two directions Page Up and Page Down lead to the ends of y.
   *
   * @param {object} options `parent` (a panel), `x` and `y` (scales; give `fixedX` or `fixedY`, in the panel's
   *   coordinates, instead of a scale that does not move), `at` ({x, y}, in the data's units), `step`, `label` (what
   *   it is), `words` ({x, y} => its place in words), `move` ({x, y} => what changes), `surface` (an element where a
   *   press brings the point there), `log` (true: a step is one of the exponent), `shape` ("circle" or "cross"), and
   *   for a path of its own `to` (({x, y}) => [left, top]) and `from` ([left, top] => {x, y}).
   * @returns {{node: Element, at: function(): {x, y}, put: function({x, y}), show: function()}} `put` moves the point
   *   and calls `move`; `show` draws it again where its scales have changed.
   */
  function handle(options) {
    const { parent, x, y, fixedX, fixedY, label, words, move, surface, shape = "circle" } = options;
    const steps = [options.step].flat();
    const main = x || y; // the direction that aria's numbers speak of
    const place = { ...options.at };
    const node = svg("g", { class: "handle", tabindex: 0, role: "slider", "aria-label": label }, parent);
    svg("circle", { class: "reach", r: 22 }, node);
    svg("circle", { class: "ring", r: 11 }, node);
    if (shape === "cross") svg("path", { class: "mark", d: "M-6,-6L6,6M-6,6L6,-6" }, node);
    else svg("circle", { class: "dot", r: 7 }, node);
    set(node, {
      "aria-valuemin": Math.min(...main.domain),
      "aria-valuemax": Math.max(...main.domain),
      "aria-orientation": x ? null : "vertical",
    });

    const to = options.to || ((spot) => [x ? x(spot.x) : fixedX, y ? y(spot.y) : fixedY]);
    const from = options.from || (([left, top]) => ({ x: x && x.invert(left), y: y && y.invert(top) }));
    const show = () => {
      const [left, top] = to(place);
      set(node, {
        transform: `translate(${left},${top})`,
        "aria-valuenow": Number((x ? place.x : place.y).toPrecision(6)),
        "aria-valuetext": words(place),
        "data-at": JSON.stringify([place.x, place.y]),
      });
    };
    const put = (wanted) => {
      if (x && wanted.x !== undefined) place.x = x.clamp(wanted.x);
      if (y && wanted.y !== undefined) place.y = y.clamp(wanted.y);
      show();
      move({ ...place });
    };
    const follow = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(parent.getScreenCTM().inverse());
      put(from([point.x, point.y]));
    };
    let held = null; // the pointer that drags
    const start = (event) => {
      const isElsewhere = event.currentTarget !== node;
      // A finger beside the point may want to scroll: there it moves the point by a tap.
      if (event.button || (isElsewhere && event.pointerType === "touch")) return;
      event.preventDefault();
      node.focus({ preventScroll: true });
      event.currentTarget.setPointerCapture(event.pointerId);
      held = event.pointerId;
      if (isElsewhere) follow(event);
    };
    for (const target of [node, surface].filter(Boolean)) {
      target.addEventListener("pointerdown", start);
      target.addEventListener("pointermove", (event) => {
        if (event.pointerId === held) follow(event);
      });
      target.addEventListener("lostpointercapture", () => (held = null));
    }
    if (surface) surface.addEventListener("click", follow);
    // Inside an SVG `touch-action` does not hold a page still.
    node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    const stepped = (value, step) => {
      if (options.log) return value * 10 ** step;
      // 0.2 + 0.1 is to be 0.3: a number of steps keeps as many digits as one step has.
      return Number((value + step).toFixed(Math.max(0, 4 - Math.floor(Math.log10(Math.abs(step))))));
    };
    node.addEventListener("keydown", (event) => {
      const far = event.shiftKey ? FASTER : 1;
      const [dx, dy] = [steps[0] * far, (steps[1] ?? steps[0]) * far];
      const ends = (axis) => [Math.min(...axis.domain), Math.max(...axis.domain)];
      const along = (key, by) => ({ [key]: stepped(place[key], by) });
      const up = y ? "y" : "x"; // a point with one direction goes by all four arrows
      const right = x ? "x" : "y";
      const keys = {
        ArrowRight: () => along(right, x ? dx : dy),
        ArrowLeft: () => along(right, x ? -dx : -dy),
        ArrowUp: () => along(up, y ? dy : dx),
        ArrowDown: () => along(up, y ? -dy : -dx),
        Home: () => ({ [right]: ends(main)[0] }),
        End: () => ({ [right]: ends(main)[1] }),
        PageUp: () => ({ [up]: ends(y || x)[1] }),
        PageDown: () => ({ [up]: ends(y || x)[0] }),
      };
      if (!(event.key in keys)) return;
      event.preventDefault();
      put(keys[event.key]());
    });
    show();
    return { node, at: () => ({ ...place }), put, show };
  }

  // --- controls: native ones, so that their keys and names are known ----------------------------------------------

  let count = 0;
  const unique = (stem) => `explorable-${stem}-${(count += 1)}`;

  /** The box of controls below the panels. */
  function controls(parent) {
    return parent.querySelector(":scope > .controls") || html("div", { class: "controls" }, parent);
  }

  /** A slider with its label and its value in words; `words` is also what a screen reader says. */
  function slider(parent, { label, min, max, step, value, words = String, change }) {
    const id = unique("slider");
    const box = html("div", { class: "control" }, controls(parent));
    html("label", { for: id, text: label }, box);
    const input = html("input", { type: "range", id, min, max, step }, box);
    const output = html("output", { for: id }, box);
    const show = () => {
      output.textContent = words(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.value = value;
    input.addEventListener("input", () => (show(), change(Number(input.value))));
    show();
    return { node: input, put: (next) => ((input.value = next), show(), change(next)) };
  }

  /** One of several: radio buttons, or a list where there are more than five. `options` are [value, words]. */
  function choice(parent, { label, options, value, change }) {
    const name = unique("choice");
    if (options.length > 5) {
      const box = html("div", { class: "control" }, controls(parent));
      html("label", { for: name, text: label }, box);
      const list = html("select", { id: name }, box);
      options.forEach(([one, text], i) => html("option", { value: i, selected: one === value, text }, list));
      list.addEventListener("change", () => change(options[list.selectedIndex][0]));
      return { node: list };
    }
    const box = html("fieldset", { class: "control" }, controls(parent));
    html("legend", { text: label }, box);
    options.forEach(([one, text]) => {
      const line = html("label", {}, box);
      const listen = { change: () => change(one) };
      html("input", { type: "radio", name, value: one, checked: one === value, on: listen }, line);
      line.append(text);
    });
    return { node: box };
  }

  /** A box to tick. */
  function tick(parent, { label, value = false, change }) {
    const line = html("label", { class: "control" }, controls(parent));
    const listen = { change: (event) => change(event.target.checked) };
    const node = html("input", { type: "checkbox", checked: value, on: listen }, line);
    line.append(label);
    return { node };
  }

  function button(parent, { label, press }) {
    return { node: html("button", { type: "button", text: label, on: { click: press } }, controls(parent)) };
  }

  /** A sentence that says what to try. */
  const invite = (parent, text) => html("p", { class: "invite", text }, parent);

  /** A function that announces what changed, in a sentence, to who cannot see it. */
  function announcer(parent) {
    const region = html("p", { class: "said", "aria-live": "polite" }, parent);
    let [waiting, latest] = [null, ""];
    return (text) => {
      latest = text;
      waiting ??= setTimeout(() => {
        waiting = null;
        region.textContent = latest;
      }, PATIENCE);
    };
  }

  // --- the frame --------------------------------------------------------------------------------------------------

  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const tools = {
    format, floats, set, svg, html, clear, panel, linear, log, turn, axes, trace, plane, lens,
    handle, slider, choice, tick, button, invite, calm,
  };

  function mount(frame) {
    const make = makers.get(frame.dataset.explorable);
    const data = JSON.parse(frame.querySelector(":scope > script").textContent);
    const root = html("div", { class: "live" }, frame);
    make(root, data, { ...tools, say: announcer(root) });
    frame.classList.add("is-live"); // last: where a picture fails, the still one stays
  }

  window.xaiExplorables = { register: (name, make) => makers.set(name, make), format, floats };
  document.addEventListener("DOMContentLoaded", () => {
    for (const frame of document.querySelectorAll(".explorable")) if (makers.has(frame.dataset.explorable)) mount(frame);
  });
})();
