// All layers, one under the other: their numbers on the left, the gradients of the loss by these on the right.

{
  const place = document.getElementById("layers");
  const pairs = []; // for each layer: {values, gradients}, two Maps

  /** A pair of maps of one layer. */
  function row(layer) {
    const {name, shape} = LENET[layer];
    const pair = {};
    const parts = [];
    for (const which of ["values", "gradients"]) {
      const maps = (pair[which] = new Maps(...ARRANGEMENTS[name]));
      const caption = el("figcaption");
      const label = () => t(`network.${which}.label`, {layer: layerName(layer), shape: shape.join(" × ")});
      maps.element.tabIndex = 0;
      maps.element.setAttribute("role", "application");
      maps.element.setAttribute("aria-describedby", "network-how");
      listen(maps, layer);
      parts.push(el("figure", {class: which}, caption, maps.element));
      views.push(() => {
        maps.element.setAttribute("aria-label", label());
        const [low, high] = drawLayer(maps, layer, which);
        caption.textContent =
          high === undefined
            ? t(`network.${which}.signed`, {limit: number(low, 3)})
            : t("network.values.grey", {low: number(low, 3), high: number(high, 3)});
      });
    }
    pairs[layer] = pair;
    place.append(
      el(
        "div",
        {class: "layer", id: `layer-${name}`},
        el("h3", {}, el("span", {"data-text": `layer.${name}`}), el("code", {}, `${shape.join(" × ")}`)),
        el("p", {class: "what", "data-text": `what.${LENET[layer].kind}`}),
        el("div", {class: "pair"}, ...parts),
      ),
    );
  }

  /** Pointer, touch and keys choose a number of these maps. */
  function listen(maps, layer) {
    const current = () => (state.number.layer === layer ? state.number.index : -1);
    maps.element.addEventListener("pointermove", (event) => {
      const at = maps.placeAt(event);
      if (event.pointerType === "mouse" && !state.number.pinned && at >= 0 && at !== current())
        chooseNumber(layer, at, false);
    });
    maps.element.addEventListener("click", (event) => {
      const at = maps.placeAt(event);
      if (at >= 0) chooseNumber(layer, at, !(state.number.pinned && at === current()));
    });
    maps.element.addEventListener("focus", () => {
      if (maps.element.matches(":focus-visible") && current() < 0) chooseNumber(layer, 0, true);
    });
    maps.element.addEventListener("keydown", (event) => {
      const to = maps.placeBy(event.key, Math.max(0, current()));
      if (event.key === "Escape") chooseNumber(layer, Math.max(0, current()), false);
      else if (to >= 0) chooseNumber(layer, to, true);
      else return;
      event.preventDefault();
      say(
        `${nameOf(layer, state.number.index)}: ${number(state.values[layer][state.number.index])}. ${t(
          "number.gradient",
          {gradient: number(state.gradients.maps[layer][state.number.index])},
        )}`,
      );
    });
  }

  /** Box a number, the window it was computed from, and what lies under that window, down to the image. */
  function showNumber() {
    for (const pair of pairs.flatMap((pair) => [pair.values, pair.gradients])) pair.clear();
    const {index} = state.number;
    let {layer} = state.number;
    const shape = LENET[layer].shape;
    if (layer < LOGITS) for (const maps of Object.values(pairs[layer])) maps.markPlace("chosen", index);
    const [channel, row, column] = shape.length === 3 ? indicesOf(shape, index) : [0, 0, 0];
    let field = {channels: [channel], row, column, height: 1, width: 1};
    for (let kind = "window"; layer >= 1; layer--, kind = "field") {
      const {geometry} = LENET[layer];
      const maps = pairs[layer - 1];
      if (LENET[layer].kind === "linear") {
        field = {
          channels: [...Array(maps.values.channels).keys()],
          row: 0,
          column: 0,
          height: maps.values.height,
          width: maps.values.width,
        };
      } else if (geometry) {
        const {kernel, stride = 1, padding = 0} = geometry;
        field = {
          channels: LENET[layer].kind === "conv2d" ? [...Array(LENET[layer - 1].shape[0]).keys()] : field.channels,
          row: field.row * stride - padding,
          column: field.column * stride - padding,
          height: (field.height - 1) * stride + kernel,
          width: (field.width - 1) * stride + kernel,
        };
      }
      if (LENET[layer].kind === "sigmoid" && kind === "window" && LENET[layer].shape.length === 1)
        for (const each of Object.values(maps)) each.markPlace(kind, index);
      else
        for (const each of Object.values(maps))
          for (const c of field.channels) each.mark(kind, c, field.row, field.column, field.height, field.width);
    }
  }

  for (let layer = 0; layer < LOGITS; layer++) row(layer);
  numberViews.push(showNumber);

  // --- the classes -------------------------------------------------------------------------------------------

  const rows = Array.from({length: 10}, (_, k) => {
    const name = el("button", {type: "button", class: "plain", onclick: () => chooseNumber(LOGITS, k, true)});
    const parts = {
      name,
      logit: el("td", {class: "figure"}),
      bar: el("i"),
      share: el("span"),
      back: el("i"),
      gradient: el("span"),
    };
    parts.row = el(
      "tr",
      {
        onpointerenter: (event) => {
          if (event.pointerType === "mouse" && !state.number.pinned) chooseNumber(LOGITS, k, false);
        },
      },
      el("th", {scope: "row"}, name),
      parts.logit,
      el("td", {class: "bar"}, parts.bar, parts.share),
      el("td", {class: "bar back"}, parts.back, parts.gradient),
    );
    return parts;
  });
  const loss = el("p", {class: "formula"});
  const head = ["classes.class", "classes.logit", "classes.share", "classes.gradient"];
  place.append(
    el(
      "div",
      {class: "layer", id: "layer-linear3"},
      el("h3", {}, el("span", {"data-text": "classes.title"}), el("code", {}, "10")),
      el("p", {class: "what", "data-text": "what.classes"}),
      el(
        "table",
        {id: "classes"},
        el("thead", {}, el("tr", {}, ...head.map((key) => el("th", {scope: "col", "data-text": key})))),
        el("tbody", {}, ...rows.map((parts) => parts.row)),
      ),
      loss,
    ),
  );

  views.push(() => {
    const p = number(state.probabilities[state.label]);
    loss.replaceChildren(
      `${t("follow.loss")} = ${MINUS}ln p(${className(state.label)}) = ${MINUS}ln ${p} = `,
      result(state.loss),
    );
  });
  views.push(() =>
    rows.forEach((parts, k) => {
      const p = state.probabilities[k];
      const dz = state.gradients.maps[LOGITS][k];
      parts.name.textContent = className(k);
      parts.logit.textContent = number(state.values[LOGITS][k], 3);
      parts.share.textContent = percent(p);
      parts.gradient.textContent = number(dz, 3);
      parts.bar.style.width = `${100 * p}%`;
      parts.back.style.width = `${50 * Math.abs(dz)}%`;
      parts.back.className = dz < 0 ? "below" : "above";
      parts.row.classList.toggle("is-label", k === state.label);
    }),
  );
  numberViews.push(() =>
    rows.forEach((parts, k) => {
      const is = state.number.layer === LOGITS && state.number.index === k;
      parts.row.classList.toggle("is-chosen", is);
      parts.name.setAttribute("aria-pressed", is);
    }),
  );
}
