// One path: a number from the image to the loss, step by step, and the gradients on the way back to a weight.

let followNumber; // (layer, index): follow the strongest path through this number

{
  const place = document.getElementById("path");
  const LAST = LOGITS + 1; // the step of the loss
  let start = {layer: 1, index: 0};
  let goal = -1;
  let paths = [];
  let step = {way: "there", at: 0};

  const goalSelect = el(
    "select",
    {
      id: "goal",
      onchange: () => {
        goal = Number(goalSelect.value);
        find();
        show();
      },
    },
    el("option", {value: -1}),
    ...Array.from({length: 10}, (_, k) => el("option", {value: k})),
  );
  const inputs = ["row", "column"].map((name) =>
    el("input", {
      type: "number",
      id: `path-${name}`,
      min: 0,
      max: 27,
      onchange: () => {
        const at = inputs.map((input) => Math.min(27, Math.max(0, Math.round(Number(input.value)) || 0)));
        followNumber(0, placeOf([28, 28], at));
      },
    }),
  );
  const maps = new Maps(...ARRANGEMENTS.input);
  maps.element.classList.add("pickable");
  maps.element.setAttribute("aria-hidden", true);
  maps.element.addEventListener("click", (event) => {
    if (maps.placeAt(event) >= 0) followNumber(0, maps.placeAt(event));
  });
  const share = el("p", {class: "note", id: "share"});
  const ladder = el("ol", {id: "ladder"});
  const words = el("div");
  const sight = el("figure");
  const card = el("div", {id: "card"}, words, sight);
  const pictures = LENET.map(({name}) => new Maps(...ARRANGEMENTS[name]));
  const filters = new Maps([6, 5, 5], 3, 8);
  const back = el("button", {type: "button", id: "previous", onclick: () => move(-1)});
  const on = el("button", {type: "button", id: "next", onclick: () => move(1)});
  place.append(
    el(
      "div",
      {class: "start"},
      maps.element,
      el(
        "div",
        {},
        el(
          "p",
          {class: "row"},
          el("span", {class: "pairing"}, el("label", {for: "path-row", "data-text": "follow.row"}), inputs[0]),
          el("span", {class: "pairing"}, el("label", {for: "path-column", "data-text": "follow.column"}), inputs[1]),
        ),
        el("p", {class: "row"}, el("label", {for: "goal", "data-text": "follow.goal"}), goalSelect),
        share,
      ),
    ),
    ladder,
    card,
    el("p", {class: "row buttons"}, back, on),
  );
  place.addEventListener("keydown", (event) => {
    if (!ladder.contains(event.target)) return;
    const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    move(by);
    ladder.querySelector("[aria-current]").focus();
  });

  /** The steps in their order: there from layer 0 to the loss, and back from the logits to the weight. */
  const STEPS = [...Array(LAST + 1).keys()]
    .map((at) => ({way: "there", at}))
    .concat([...Array(LOGITS + 1).keys()].reverse().map((at) => ({way: "back", at})));
  const placeOfStep = () => STEPS.findIndex(({way, at}) => way === step.way && at === step.at);

  function goTo(next) {
    step = next;
    show();
    say(words.textContent);
  }

  const move = (by) => goTo(STEPS[Math.min(STEPS.length - 1, Math.max(0, placeOfStep() + by))]);

  function find() {
    paths = pathsToLoss(state.weights, state.values, state.label, goal);
    state.path = strongestPath(paths, start.layer, start.index, state.weights, state.values);
  }

  followNumber = (layer, index) => {
    start = {layer, index};
    step = {way: "there", at: layer};
    find();
    show();
  };

  /** The place of the first convolution's weight on this path. */
  function weightOnPath() {
    let found = 0;
    eachSource(1, state.path[1], state.weights, state.values, (at, _, weight) => {
      if (at === state.path[0]) found = weight;
    });
    return found;
  }

  /** The product of the derivatives along the path, from a layer to the loss. */
  function derivativeAlong(from) {
    let product = state.gradients.maps[LOGITS][state.path[LOGITS]];
    for (let layer = LOGITS; layer > from; layer--)
      eachSource(layer, state.path[layer], state.weights, state.values, (at, derivative) => {
        if (at === state.path[layer - 1]) product *= derivative;
      });
    return product;
  }

  // --- a step in words and numbers ---------------------------------------------------------------------------

  const own = (text) => el("mark", {}, text);

  /** What is added to the term on the path: the sum of so many others. */
  const others = (sum, count, key = "follow.others") => `${added(sum)} (${t(key, {count})})`;

  const weightShape = (layer) => DATA.parameters.find(([name]) => name === `${LENET[layer].parameters}.weight`)[1];

  /** The formulas of the loss: lines, each of them a list of texts and elements. */
  function lossFormula() {
    const z = state.values[LOGITS];
    const k = state.label;
    const p = number(state.probabilities[k]);
    const sum = z.reduce((total, value) => total + Math.exp(value), 0);
    return [
      ["p = e^z / Σ e^z"],
      [`p(${className(k)}) = e^(${number(z[k])}) / ${number(sum)} = ${p}`],
      [`${t("follow.loss")} = ${MINUS}ln ${p} = `, result(state.loss)],
    ];
  }

  /** The formula of a layer for the number on the path, filled in: the term of the number before, and the others. */
  function thereFormula(layer) {
    const {kind, shape} = LENET[layer];
    const y = state.values[layer][state.path[layer]];
    if (kind === "input") return [[`x = ${Math.round(255000 * y) / 1000} / 255 = `, result(y)]];
    const x = state.values[layer - 1][state.path[layer - 1]];
    if (kind === "sigmoid") return [["y = 1 / (1 + e⁻ˣ)"], ["y = 1 / (1 + e^(", own(number(-x)), ")) = ", result(y)]];
    let factor = 0;
    let place = -1;
    let count = -1;
    let sum = 0;
    eachSource(layer, state.path[layer], state.weights, state.values, (at, derivative, weight) => {
      count++;
      if (at === state.path[layer - 1]) [factor, place] = [derivative, weight];
      else if (at >= 0) sum += derivative * state.values[layer - 1][at];
    });
    if (kind === "avgPool2d")
      return [["y = (x + x + x + x) / 4"], ["y = ", own(number(x)), ` / 4${others(sum, count)} = `, result(y)]];
    const bias = biasOf(layer, state.weights)[indicesOf(shape, state.path[layer])[0]];
    return [
      ["y = Σ w · x + b"],
      [`w[${indicesOf(weightShape(layer), place).join(", ")}] = ${number(factor)},  b = ${number(bias)}`],
      [`y = ${bracketed(factor)}${TIMES}`, own(number(x)), `${others(sum, count)}${added(bias)} = `, result(y)],
    ];
  }

  /** How the gradient of a number on the path comes about: from that of the next one on it, and from the others. */
  function backFormula(layer) {
    if (layer === LOGITS) return logitFormula();
    if (layer === 0) return weightFormula();
    const dx = state.gradients.maps[layer][state.path[layer]];
    const next = layer + 1;
    const {kind} = LENET[next];
    const y = state.values[next][state.path[next]];
    const dy = state.gradients.maps[next][state.path[next]];
    if (kind === "sigmoid")
      return [
        [`dx = dy · y · (1 ${MINUS} y)`],
        ["dx = ", own(bracketed(dy)), `${TIMES}${number(y)}${TIMES}${number(1 - y)} = `, result(dx)],
      ];
    if (kind === "avgPool2d") return [["dx = dy / 4"], ["dx = ", own(number(dy)), " / 4 = ", result(dx)]];
    let factor = 0;
    let count = -1;
    for (let index = 0; index < state.values[next].length; index++)
      eachSource(next, index, state.weights, state.values, (at, derivative) => {
        if (at !== state.path[layer]) return;
        count++;
        if (index === state.path[next]) factor = derivative;
      });
    const rest = others(dx - factor * dy, count);
    return [["dx = Σ w · dy"], [`dx = ${bracketed(factor)}${TIMES}`, own(bracketed(dy)), `${rest} = `, result(dx)]];
  }

  /** Where the way back begins. */
  function logitFormula() {
    const k = state.path[LOGITS];
    const right = k === state.label ? 1 : 0;
    return [
      [`dz = p ${MINUS} 1 (${className(state.label)}),  dz = p (${t("follow.other.classes")})`],
      [
        `dz(${className(k)}) = ${number(state.probabilities[k])} ${MINUS} ${right} = `,
        result(state.gradients.maps[LOGITS][k]),
      ],
    ];
  }

  /** Where it ends: the gradient of a weight, the sum over all places of its filter; and what a step makes of it. */
  function weightFormula() {
    const place = weightOnPath();
    const x = state.values[0][state.path[0]];
    const dy = state.gradients.maps[1][state.path[1]];
    const w = state.weights["0.weight"][place];
    const dw = state.gradients.weights["0.weight"][place];
    const rest = others(dw - dy * x, LENET[1].shape[1] * LENET[1].shape[2] - 1, "follow.places");
    return [
      ["dw = Σ dy · x"],
      [
        `dw[${indicesOf(weightShape(1), place).join(", ")}] = `,
        own(bracketed(dy)),
        `${TIMES}${number(x)}${rest} = `,
        result(dw),
      ],
      [t("follow.step", {w: number(w), lr: state.lr, after: number(w - state.lr * dw)})],
    ];
  }

  /** Which of the texts explains a step: by the kind of operation that is passed, there or back. */
  function wordsOf(way, at) {
    if (way === "there") return at === LAST ? "loss" : LENET[at].kind;
    return at === LOGITS ? "loss" : at === 0 ? "weight" : LENET[at + 1].kind;
  }

  const valueOf = (layer) => (layer === LAST ? state.loss : state.values[layer][state.path[layer]]);
  const titleOf = (layer) => (layer === LAST ? t("follow.loss") : layerName(layer));

  /** The layer of a step, with the number of the path. */
  function sightOf(layer, way) {
    const which = way === "there" ? "values" : "gradients";
    const caption = t(`network.${which}.label`, {layer: layerName(layer), shape: LENET[layer].shape.join(" × ")});
    drawLayer(pictures[layer], layer, which);
    pictures[layer].clear();
    pictures[layer].markPlace("chosen", state.path[layer]);
    return [el("figcaption", {}, caption), pictures[layer].element];
  }

  /** The gradients of the first filters, with the weight of the path. */
  function sightOfWeight() {
    const gradients = state.gradients.weights["0.weight"];
    const limit = largest(gradients);
    filters.draw(gradients, (x) => signedColour(x, limit));
    filters.clear();
    filters.markPlace("chosen", weightOnPath());
    return [el("figcaption", {}, t("follow.filters")), filters.element];
  }

  function show() {
    goalSelect.options[0].textContent = t("follow.any");
    for (let k = 0; k < 10; k++) goalSelect.options[k + 1].textContent = className(k);
    const [row, column] = indicesOf([28, 28], state.path[0]);
    [inputs[0].value, inputs[1].value] = [row, column];
    maps.draw(state.image, (x) => greyColour(x, 0, 1));
    maps.clear();
    maps.markPlace("chosen", state.path[0]);
    const along = derivativeAlong(0);
    const whole = state.gradients.maps[0][state.path[0]];
    share.textContent = t("follow.share", {
      count: grouped(paths[0].count[state.path[0]]),
      along: number(along),
      whole: number(whole),
    });

    const chip = (way, at, label, value) =>
      el(
        "button",
        {
          type: "button",
          class: `chip ${way}`,
          "data-way": way,
          "data-at": at,
          "aria-current": step.way === way && step.at === at ? "step" : null,
          tabindex: step.way === way && step.at === at ? 0 : -1,
          "aria-label": `${t(`follow.${way}`)}: ${label}, ${value}`,
          onclick: () => {
            goTo({way, at});
            ladder.querySelector("[aria-current]").focus({preventScroll: true});
          },
        },
        value,
      );
    ladder.replaceChildren(
      el(
        "li",
        {class: "ways", "aria-hidden": true},
        el("span"),
        el("span", {}, `${t("follow.there")} →`),
        el("span", {}, `← ${t("follow.back")}`),
      ),
      ...Array.from({length: LAST + 1}, (_, at) =>
        el(
          "li",
          {},
          el("span", {}, titleOf(at)),
          chip("there", at, titleOf(at), number(valueOf(at), 3)),
          at === LAST
            ? el("span", {class: "turn", "aria-hidden": true}, "↩")
            : at === 0
              ? chip(
                  "back",
                  0,
                  t("follow.weight"),
                  `dw ${number(state.gradients.weights["0.weight"][weightOnPath()], 3)}`,
                )
              : chip("back", at, titleOf(at), number(state.gradients.maps[at][state.path[at]], 3)),
        ),
      ),
    );

    const {way, at} = step;
    const place = placeOfStep();
    const name =
      at === LAST ? t("follow.loss") : way === "back" && at === 0 ? t("follow.weight") : nameOf(at, state.path[at]);
    const lines = way === "back" ? backFormula(at) : at === LAST ? lossFormula() : thereFormula(at);
    card.className = way;
    words.replaceChildren(
      el("p", {class: "note"}, t("follow.count", {step: place + 1, steps: STEPS.length, way: t(`follow.${way}`)})),
      el("h3", {}, name),
      el("p", {}, t(`follow.${way}.${wordsOf(way, at)}`)),
      ...lines.map((line) => el("p", {class: "formula"}, ...line)),
    );
    sight.replaceChildren(...(way === "back" && at === 0 ? sightOfWeight() : sightOf(Math.min(at, LOGITS), way)));
    back.textContent = t("follow.previous");
    on.textContent = t("follow.next");
    back.disabled = place === 0;
    on.disabled = place === STEPS.length - 1;
  }

  views.push(() => {
    find();
    show();
  });
}
