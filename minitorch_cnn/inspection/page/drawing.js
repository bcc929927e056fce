// Elements, colours, and arrays drawn as maps.

/** Make an element: el("p", {class: "note", onclick: f}, "text", child, ...). Text is never read as HTML. */
function el(name, attributes = {}, ...children) {
  const element = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else if (key.startsWith("aria-") && value !== null) element.setAttribute(key, value);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** What a formula gives. */
const result = (x) => el("b", {class: "result"}, number(x));

/** Buttons of which one is chosen, each with a value and words: radio buttons, which arrow keys go through. */
function choice(fieldset, name, options, chosen, onchange) {
  for (const [value, words] of options) {
    const checked = value === chosen;
    const change = () => onchange(value);
    fieldset.append(
      el(
        "label",
        {class: "pick"},
        el("input", {type: "radio", name, value, class: "unseen", checked, onchange: change}),
        words,
      ),
    );
  }
}

// --- colours -------------------------------------------------------------------------------------------------

const LEVELS = [...Array(256).keys()];
const COLOURS = {grey: LEVELS.map((level) => [level, level, level])}; // 256 of each, from no colour to the full one

/** Read the colours of the present theme from the style sheet. */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) =>
    [1, 3, 5].map((i) =>
      parseInt(
        style
          .getPropertyValue(`--${name}`)
          .trim()
          .slice(i, i + 2),
        16,
      ),
    );
  const ground = read("ground");
  for (const name of ["blue", "orange"]) {
    const full = read(name);
    COLOURS[name] = LEVELS.map((level) => ground.map((from, i) => Math.round(from + ((full[i] - from) * level) / 255)));
  }
}

const levelOf = (share) => Math.round(255 * Math.min(1, Math.max(0, share)));

/** The colour of a number with a sign: orange below 0, the ground at 0, blue from 0 to `limit`. */
const signedColour = (x, limit) => COLOURS[x < 0 ? "orange" : "blue"][levelOf(Math.abs(x) / (limit || 1))];

/** The colour of a number between `low`, black, and `high`, white. */
const greyColour = (x, low, high) => COLOURS.grey[levelOf((x - low) / (high - low || 1))];

const css = (colour) => `rgb(${colour.join(" ")})`;

/** Black or white, whichever stands out more on this colour: by its luminance, as the guidelines WCAG define it. */
function inkOn(colour) {
  const [r, g, b] = colour.map((level) => (level <= 10 ? level / 3295 : ((level / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

const largest = (array) => array.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

// --- maps ----------------------------------------------------------------------------------------------------

/** Where the maps of a layer stand on their canvas: [channels, height, width], how many in a row, pixels of a cell. */
const ARRANGEMENTS = {
  input: [[1, 28, 28], 1, 4],
  conv1: [[6, 28, 28], 3, 2],
  sigmoid1: [[6, 28, 28], 3, 2],
  pool1: [[6, 14, 14], 6, 2],
  conv2: [[16, 10, 10], 8, 2],
  sigmoid2: [[16, 10, 10], 8, 2],
  pool2: [[16, 5, 5], 8, 4],
  linear1: [[1, 4, 30], 1, 6],
  sigmoid3: [[1, 4, 30], 1, 6],
  linear2: [[1, 3, 28], 1, 6],
  sigmoid4: [[1, 3, 28], 1, 6],
  linear3: [[1, 1, 10], 1, 12],
};
const GAP = 3; // pixels between two maps

/** The maps of an array (C, H, W) on one canvas, with boxes over them. */
class Maps {
  constructor([channels, height, width], across, cell) {
    Object.assign(this, {channels, height, width, across, cell});
    this.rows = Math.ceil(channels / across);
    this.stepX = width * cell + GAP;
    this.stepY = height * cell + GAP;
    this.canvas = el("canvas", {
      width: across * this.stepX - GAP,
      height: this.rows * this.stepY - GAP,
      "aria-hidden": true,
    });
    this.boxes = el("div", {class: "boxes", "aria-hidden": true});
    this.element = el("div", {class: "maps", style: {maxWidth: `${2 * this.canvas.width}px`}}, this.canvas, this.boxes);
    this.small = el("canvas", {width, height});
  }

  /** Draw an array; `colour` makes of a number what is drawn. */
  draw(array, colour) {
    const context = this.canvas.getContext("2d");
    const {width, height, cell} = this;
    context.imageSmoothingEnabled = false;
    for (let c = 0; c < this.channels; c++) {
      drawRows(this.small, array.subarray(c * width * height, (c + 1) * width * height), colour);
      const x = (c % this.across) * this.stepX;
      const y = Math.floor(c / this.across) * this.stepY;
      context.drawImage(this.small, x, y, width * cell, height * cell);
    }
  }

  /** The place in the array under the pointer, or -1 between two maps. */
  placeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    const column = Math.floor(x / this.stepX);
    const row = Math.floor(y / this.stepY);
    const j = Math.floor((x - column * this.stepX) / this.cell);
    const i = Math.floor((y - row * this.stepY) / this.cell);
    const c = row * this.across + column;
    const inside = column < this.across && c < this.channels && j >= 0 && i >= 0 && j < this.width && i < this.height;
    return inside ? placeOf([this.channels, this.height, this.width], [c, i, j]) : -1;
  }

  /** The place that an arrow key leads to, or Page Up and Page Down to the next map. */
  placeBy(key, place) {
    const shape = [this.channels, this.height, this.width];
    const indices = indicesOf(shape, place);
    const [axis, by] =
      {
        ArrowUp: [1, -1],
        ArrowDown: [1, 1],
        ArrowLeft: [2, -1],
        ArrowRight: [2, 1],
        PageUp: [0, -1],
        PageDown: [0, 1],
      }[key] || [];
    if (axis === undefined) return -1;
    indices[axis] = Math.min(shape[axis] - 1, Math.max(0, indices[axis] + by));
    return placeOf(shape, indices);
  }

  /** Put a box around rows and columns of a map, as far as they lie in it. */
  mark(kind, channel, row, column, height = 1, width = 1) {
    const top = Math.max(0, row);
    const left = Math.max(0, column);
    const bottom = Math.min(this.height, row + height);
    const right = Math.min(this.width, column + width);
    if (top >= bottom || left >= right) return;
    const x = (channel % this.across) * this.stepX + left * this.cell;
    const y = Math.floor(channel / this.across) * this.stepY + top * this.cell;
    const share = (part, whole) => `${(100 * part) / whole}%`;
    this.boxes.append(
      el("i", {
        class: kind,
        style: {
          left: share(x, this.canvas.width),
          top: share(y, this.canvas.height),
          width: share((right - left) * this.cell, this.canvas.width),
          height: share((bottom - top) * this.cell, this.canvas.height),
        },
      }),
    );
  }

  /** Put a box around a number. */
  markPlace(kind, place) {
    this.mark(kind, ...indicesOf([this.channels, this.height, this.width], place));
  }

  clear() {
    this.boxes.replaceChildren();
  }
}

/** Draw the numbers or the gradients of a layer. Returns the range of what is drawn: [lowest, highest] or [limit]. */
function drawLayer(maps, layer, which) {
  const array = which === "values" ? state.values[layer] : state.gradients.maps[layer];
  const {kind} = LENET[layer];
  if (which === "gradients" || kind === "conv2d" || kind === "linear") {
    const limit = largest(array);
    maps.draw(array, (x) => signedColour(x, limit));
    return [limit];
  }
  const [low, high] = layer ? [Math.min(...array), Math.max(...array)] : [0, 1];
  maps.draw(array, (x) => greyColour(x, low, high));
  return [low, high];
}

/** A matrix as a table, its numbers written into coloured cells. `format` writes them. */
function matrix(rows, colour, format = short, label = "", marked = -1) {
  let place = 0;
  return el(
    "table",
    {class: "matrix", "aria-label": label},
    el(
      "tbody",
      {},
      ...rows.map((row) =>
        el(
          "tr",
          {},
          ...row.map((x) => {
            const background = x === null ? null : colour(x);
            return el(
              "td",
              {
                class: x === null ? "padding" : place++ === marked ? "marked" : null,
                style: background ? {background: css(background), color: inkOn(background)} : {},
              },
              x === null ? "0" : format(x),
            );
          }),
        ),
      ),
    ),
  );
}

/** A row of numbers as a strip of colour. */
function strip(numbers, colour, label, kind = "strip") {
  const canvas = el("canvas", {width: numbers.length, height: 1, class: kind, role: "img", "aria-label": label});
  drawRows(canvas, numbers, colour);
  return canvas;
}

/** Fill a canvas with one pixel for each number. */
function drawRows(canvas, numbers, colour) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  for (let i = 0, at = 0; i < numbers.length; i++) {
    const [red, green, blue] = colour(numbers[i]);
    pixels.data[at++] = red;
    pixels.data[at++] = green;
    pixels.data[at++] = blue;
    pixels.data[at++] = 255;
  }
  context.putImageData(pixels, 0, 0);
}
