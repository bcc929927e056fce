// One number close up: what it is computed from, its column in the im2col matrix, and where its gradient goes.

{
  const place = document.getElementById("number");
  const title = el("h3");
  const value = el("p", {class: "value"});
  const parts = el("div", {class: "parts"});
  const more = el("button", {
    type: "button",
    id: "more",
    class: "small",
    "aria-expanded": "false",
    onclick: () => {
      const open = place.toggleAttribute("data-open");
      more.setAttribute("aria-expanded", open);
      more.textContent = t(open ? "number.less" : "number.more");
    },
  });
  const pin = el("button", {
    type: "button",
    id: "pin",
    class: "small",
    onclick: () => {
      const {layer, index, pinned} = state.number;
      chooseNumber(layer, index, !pinned);
    },
  });
  const go = el("button", {
    type: "button",
    id: "go",
    class: "small",
    "data-text": "number.follow",
    onclick: () => {
      followNumber(state.number.layer, state.number.index);
      const section = document.getElementById("follow");
      section.scrollIntoView();
      section.querySelector("button").focus({preventScroll: true});
    },
  });
  place.append(el("div", {class: "head"}, title, value, el("p", {class: "row"}, more, pin, go)), parts);
  let channel = 0; // of those of a convolution's input, the one whose window is written out

  const heading = (key) => el("h4", {}, t(key));
  const text = (key, values) => el("p", {}, t(key, values));
  const formula = (...children) => el("p", {class: "formula"}, ...children);
  const signed = (limit) => (x) => signedColour(x, limit);
  const labelled = (key, table) => el("figure", {}, table, el("figcaption", {}, t(key)));
  const inRows = (array, width) =>
    Array.from({length: array.length / width}, (_, i) => array.slice(i * width, (i + 1) * width));

  /** The power of ten in whose units the largest of these numbers has one digit before the point. */
  function unitOf(array) {
    const most = largest(array);
    return most ? 10 ** Math.floor(Math.log10(most)) : 1;
  }

  /** A matrix in units of a power of ten, which its caption names. */
  function inUnits(key, rows, label) {
    const known = rows.flat().filter((x) => x !== null);
    const unit = unitOf(known);
    const table = matrix(rows, signed(largest(known)), (x) => (x / unit).toFixed(1).replace("-", MINUS), label);
    const caption =
      unit === 1 ? t(key) : t("number.units", {what: t(key), unit: `10${raised(Math.round(Math.log10(unit)))}`});
    return el("figure", {}, table, el("figcaption", {}, caption));
  }

  /** Everything a number comes from, in order. */
  function sources(layer, index) {
    const found = [];
    const x = state.values[layer - 1];
    eachSource(layer, index, state.weights, state.values, (at, derivative, weight) =>
      found.push({at, derivative, weight, x: at < 0 ? 0 : x[at], product: derivative * (at < 0 ? 0 : x[at])}),
    );
    return found;
  }

  const explain = {
    input(layer, index) {
      return [
        heading("number.from"),
        text("number.pixel"),
        heading("number.back"),
        text("number.pixel.back"),
        formula(`dx = ${number(state.gradients.maps[0][index])}`),
      ];
    },

    conv2d(layer, index) {
      const {
        shape,
        geometry: {kernel},
      } = LENET[layer];
      const channels = LENET[layer - 1].shape[0];
      const [filter, row, column] = indicesOf(shape, index);
      const size = kernel ** 2;
      const all = sources(layer, index);
      const dy = state.gradients.maps[layer][index];
      const bias = biasOf(layer, state.weights)[filter];
      const y = state.values[layer][index];
      channel = Math.min(channel, channels - 1);
      const sums = Array.from({length: channels}, (_, c) =>
        all.slice(c * size, (c + 1) * size).reduce((sum, {product}) => sum + product, 0),
      );
      const window = all.slice(channel * size, (channel + 1) * size);
      const grid = (of) =>
        inRows(
          window.map((source) => (source.at < 0 && of !== "derivative" ? null : source[of])),
          kernel,
        );
      const weightLimit = largest(all.map((source) => source.derivative));
      const xColour = (x) => greyColour(x, 0, layer === 1 ? 1 : largest(state.values[layer - 1]));
      const total = sums.map((sum, c) => (c ? added(sum) : number(sum))).join("");
      return [
        heading("number.from"),
        channels > 1 ? channelPicker(sums) : null,
        el(
          "div",
          {class: "grids"},
          labelled("number.window", matrix(grid("x"), xColour, short, t("number.window"))),
          el("span", {class: "sign", "aria-hidden": true}, "×"),
          labelled("number.filter", matrix(grid("derivative"), signed(weightLimit), short, t("number.filter"))),
          labelled(
            "number.products",
            matrix(grid("product"), signed(largest(window.map((s) => s.product))), short, t("number.products")),
          ),
          el("p", {class: "wide"}, t(channels > 1 ? "number.sums" : "number.sum", {filter})),
        ),
        formula(`y = ${total}${added(bias)} = `, result(y)),
        heading("number.column"),
        text("number.column.text", {
          filter,
          row,
          column,
          width: shape[2],
          at: row * shape[2] + column,
          rows: all.length,
          columns: shape[1] * shape[2],
          filters: shape[0],
        }),
        im2colPicture(layer, row * shape[2] + column),
        el(
          "div",
          {class: "strips"},
          el("span", {}, t("number.filter.row", {filter})),
          strip(
            all.map((s) => s.derivative),
            signed(weightLimit),
            t("number.filter.row", {filter}),
          ),
          el("span", {}, t("number.column.name", {at: row * shape[2] + column})),
          strip(
            all.map((s) => s.x),
            xColour,
            t("number.column.name", {at: row * shape[2] + column}),
            "strip column",
          ),
        ),
        heading("number.back"),
        text("number.back.text", {dy: number(dy)}),
        el(
          "div",
          {class: "grids"},
          inUnits(
            "number.back.window",
            inRows(
              window.map((s) => (s.at < 0 ? null : dy * s.derivative)),
              kernel,
            ),
            t("number.back.window"),
          ),
          el("span"),
          inUnits(
            "number.back.filter",
            inRows(
              window.map((s) => dy * s.x),
              kernel,
            ),
            t("number.back.filter"),
          ),
        ),
        text("number.back.bias", {dy: number(dy)}),
      ];
    },

    sigmoid(layer, index) {
      const x = state.values[layer - 1][index];
      const y = state.values[layer][index];
      const dy = state.gradients.maps[layer][index];
      return [
        heading("number.from"),
        formula(`y = 1 / (1 + e⁻ˣ) = 1 / (1 + e^(${number(-x)})) = `, result(y)),
        sigmoidCurve(x, y),
        heading("number.back"),
        text("number.sigmoid.back"),
        formula(
          `dx = dy${TIMES}y${TIMES}(1 ${MINUS} y) = ${bracketed(dy)}${TIMES}${number(y * (1 - y))} = `,
          el("b", {}, number(dy * y * (1 - y))),
        ),
      ];
    },

    avgPool2d(layer, index) {
      const all = sources(layer, index);
      const dy = state.gradients.maps[layer][index];
      const {kernel} = LENET[layer].geometry;
      const limits = [Math.min(...state.values[layer - 1]), Math.max(...state.values[layer - 1])];
      return [
        heading("number.from"),
        el(
          "div",
          {class: "grids"},
          labelled(
            "number.window",
            matrix(
              inRows(
                all.map((s) => s.x),
                kernel,
              ),
              (x) => greyColour(x, ...limits),
              (x) => number(x),
              t("number.window"),
            ),
          ),
        ),
        formula(
          `y = (${all.map((s) => number(s.x)).join(" + ")}) / ${all.length} = `,
          result(state.values[layer][index]),
        ),
        heading("number.back"),
        text("number.pool.back"),
        formula(`dx = dy / ${all.length} = ${bracketed(dy)} / ${all.length} = `, el("b", {}, number(dy / all.length))),
      ];
    },

    linear(layer, index) {
      const all = sources(layer, index);
      const dy = state.gradients.maps[layer][index];
      const bias = biasOf(layer, state.weights)[index];
      const y = state.values[layer][index];
      const order = [...all].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
      const shown = order.slice(0, 4);
      const rest = order.slice(4).reduce((sum, source) => sum + source.product, 0);
      const parts = [
        heading("number.from"),
        text(layer === 7 ? "number.flatten" : "number.linear", {count: all.length, index}),
        el(
          "div",
          {class: "strips"},
          el("span", {}, "x"),
          strip(
            all.map((s) => s.x),
            (x) => greyColour(x, 0, 1),
            "x",
          ),
          el("span", {}, "w"),
          strip(
            all.map((s) => s.derivative),
            signed(largest(all.map((s) => s.derivative))),
            "w",
          ),
          el("span", {}, "w · x"),
          strip(
            all.map((s) => s.product),
            signed(largest(all.map((s) => s.product))),
            "w · x",
          ),
        ),
        text("number.largest"),
        el(
          "ul",
          {class: "terms"},
          ...shown.map(({at, derivative, x, product}) => {
            const factors = `${bracketed(derivative, 3)}${TIMES}${number(x, 3)}`;
            return el("li", {}, `w[${index}, ${at}]${TIMES}x[${at}] = ${factors} = ${number(product, 3)}`);
          }),
        ),
        formula(
          `y = ${shown.map((s, i) => (i ? added(s.product) : number(s.product))).join("")}${added(rest)} (${t(
            "number.rest",
            {count: order.length - shown.length},
          )})${added(bias)} = `,
          result(y),
        ),
        heading("number.back"),
        text("number.linear.back", {dy: number(dy)}),
        el(
          "div",
          {class: "strips"},
          el("span", {}, "dx"),
          strip(
            all.map((s) => dy * s.derivative),
            signed(largest(all.map((s) => dy * s.derivative))),
            "dx",
          ),
          el("span", {}, "dw"),
          strip(
            all.map((s) => dy * s.x),
            signed(largest(all.map((s) => dy * s.x))),
            "dw",
          ),
        ),
      ];
      if (layer === LOGITS) {
        const right = index === state.label ? 1 : 0;
        parts.push(
          text("number.logit.back"),
          formula(`dy = ${number(state.probabilities[index])} ${MINUS} ${right} = `, el("b", {}, number(dy))),
        );
      }
      return parts;
    },
  };

  /** Buttons for the channels of a convolution's input, each with its share of the sum. */
  function channelPicker(sums) {
    return el(
      "p",
      {class: "row channels", role: "group", "aria-label": t("number.channel")},
      el("span", {}, t("number.channel")),
      ...sums.map((_, c) =>
        el(
          "button",
          {
            type: "button",
            class: "small",
            "aria-pressed": c === channel,
            onclick: () => {
              channel = c;
              show();
              parts.querySelectorAll(".channels button")[c].focus();
            },
          },
          String(c),
        ),
      ),
    );
  }

  /** The whole im2col matrix, with a box around one column. */
  function im2colPicture(layer, column) {
    const {geometry, shape} = LENET[layer];
    const below = LENET[layer - 1].shape;
    const x = state.values[layer - 1];
    const columns = im2col(x, below, geometry);
    const width = shape[1] * shape[2];
    const canvas = el("canvas", {
      width,
      height: columns.length / width,
      role: "img",
      "aria-label": t("number.matrix", {
        rows: columns.length / width,
        columns: width,
      }),
    });
    const high = layer === 1 ? 1 : largest(x);
    drawRows(canvas, columns, (value) => greyColour(value, 0, high));
    return el(
      "div",
      {class: "im2col"},
      canvas,
      el("i", {style: {left: `${(100 * column) / width}%`, width: `max(3px, ${100 / width}%)`}}),
    );
  }

  /** The sigmoid from -6 to 6, with the point and its tangent. */
  function sigmoidCurve(x, y) {
    const toX = (value) => 120 + 18 * Math.min(6.3, Math.max(-6.3, value));
    const toY = (value) => 70 - 60 * value;
    const points = Array.from({length: 121}, (_, i) => (i - 60) / 10).map(
      (value) => `${toX(value)},${toY(1 / (1 + Math.exp(-value)))}`,
    );
    const slope = y * (1 - y);
    const reach = 2;
    return el(
      "svg:svg",
      {viewBox: "0 0 240 80", class: "curve", role: "img", "aria-label": t("number.curve", {slope: number(slope)})},
      el("svg:line", {x1: 0, x2: 240, y1: toY(0), y2: toY(0), class: "axis"}),
      el("svg:polyline", {points: points.join(" "), class: "line"}),
      el("svg:line", {
        x1: toX(x) - 18 * reach,
        x2: toX(x) + 18 * reach,
        y1: toY(y - slope * reach),
        y2: toY(y + slope * reach),
        class: "tangent",
      }),
      el("svg:circle", {cx: toX(x), cy: toY(y), r: 4, class: "point"}),
    );
  }

  function show() {
    const {layer, index, pinned} = state.number;
    title.textContent = nameOf(layer, index);
    value.replaceChildren(
      el("span", {}, t("number.value"), " ", el("b", {}, number(state.values[layer][index]))),
      el("span", {}, t("number.gradient.short"), " ", el("b", {}, number(state.gradients.maps[layer][index]))),
    );
    pin.textContent = t(pinned ? "number.unpin" : "number.pin");
    pin.setAttribute("aria-pressed", pinned);
    more.textContent = t(place.hasAttribute("data-open") ? "number.less" : "number.more");
    parts.replaceChildren(...explain[LENET[layer].kind](layer, index).filter(Boolean));
  }
  numberViews.push(show);
}
