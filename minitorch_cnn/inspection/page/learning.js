// A step of SGD on the image that is shown, and the epochs of the run.

const nameOfParameter = (name) => {
  const [parameters, kind] = name.split(".");
  return `${layerName(LENET.findIndex((layer) => layer.parameters === parameters))} ${t(`parameter.${kind}`)}`;
};

const sum = (array) => array.reduce((total, x) => total + x, 0);
const squares = (array) => array.reduce((total, x) => total + x * x, 0);

/** How far a step of SGD moves each weight, parameter by parameter. */
const movesOf = (gradients, lr) => DATA.parameters.map(([name]) => gradients[name].map((dw) => -lr * dw));

/** An SVG line through points [x, y]. */
const polyline = (points, kind) =>
  el("svg:polyline", {points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), class: kind});

{
  const place = document.getElementById("sgd");
  const rates = [...new Set([0.01, 0.1, DATA.recipe.lr || 0.9, 5])].sort((a, b) => a - b);
  const rate = el("fieldset", {id: "rate"}, el("legend", {"data-text": "step.rate"}));
  choice(
    rate,
    "rate",
    rates.map((lr) => [lr, el("span", {}, String(lr))]),
    state.lr,
    (lr) => {
      state.lr = lr;
      for (const view of views) view();
    },
  );
  const take = el("button", {
    type: "button",
    id: "take",
    class: "main",
    "data-text": "step.take",
    onclick: () => {
      if (!state.losses.length) state.losses = [state.loss];
      const {weights: before, gradients, lr} = state;
      state.weights = sgdStep(before, gradients.weights, lr);
      moved = {
        before,
        lr,
        moves: movesOf(gradients.weights, lr),
        promised: -lr * sum(Object.values(gradients.weights).map(squares)),
      };
      state.losses = [...state.losses, crossEntropy(forward(state.weights, state.image)[LOGITS], state.label)];
      update();
      say(outcome.textContent);
    },
  });
  const reset = el("button", {
    type: "button",
    id: "reset",
    "data-text": "step.reset",
    onclick: () => {
      Object.assign(state, {weights: weightsAfter(state.epoch), losses: []});
      update();
      take.focus();
      say(t("step.was.reset", {loss: number(state.loss)}));
    },
  });
  let moved = null; // of the last step: the weights before it, its rate and moves, and the change of the loss promised
  const outcome = el("p", {id: "result"});
  const promise = el("p", {class: "note"});
  const course = el("svg:svg", {viewBox: "0 0 400 110", id: "course", role: "img"});
  const caption = el("p", {class: "note"});
  const rows = el("tbody");
  const movers = el("ol", {id: "movers"});
  const cells = DATA.parameters.map(([, shape]) => {
    const height = shape.length > 1 ? shape[0] : 1;
    const count = shape.reduce((a, b) => a * b);
    const parts = {
      name: el("th", {scope: "row"}),
      norm: el("td", {class: "figure"}),
      most: el("td", {class: "figure"}),
      bar: el("i"),
      canvas: el("canvas", {width: count / height, height, role: "img"}),
    };
    parts.canvas.style.height = `${Math.max(8, Math.min(84, 4 * height))}px`;
    rows.append(
      el(
        "tr",
        {},
        parts.name,
        parts.norm,
        parts.most,
        el("td", {class: "bar"}, parts.bar),
        el("td", {class: "moves"}, parts.canvas),
      ),
    );
    return parts;
  });
  place.append(
    el("div", {class: "two"}, el("div", {}, rate, el("p", {class: "row"}, take, reset), outcome, promise), course),
    caption,
    el(
      "div",
      {class: "scroll", tabindex: 0, role: "region", "data-label": "step.table"},
      el(
        "table",
        {id: "moves"},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...["parameter", "norm", "most", "share", "picture"].map((key) =>
              el("th", {scope: "col", "data-text": `step.${key}`}),
            ),
          ),
        ),
        rows,
      ),
    ),
    el("h3", {"data-text": "step.movers"}),
    movers,
  );

  views.push(() => {
    const steps = state.losses.length - 1;
    const taken = steps > 0;
    if (!taken) moved = null;
    const {before, lr, moves} = taken
      ? moved
      : {before: state.weights, lr: state.lr, moves: movesOf(state.gradients.weights, state.lr)};
    reset.disabled = !taken;
    if (taken) {
      const [from, to] = state.losses.slice(-2);
      outcome.replaceChildren(
        t("step.loss"),
        " ",
        el("b", {id: "loss-before"}, number(from)),
        " → ",
        el("b", {id: "loss-after"}, number(to)),
      );
      promise.textContent = t("step.promise", {promised: number(moved.promised), came: number(to - from)});
    } else {
      outcome.replaceChildren(t("step.loss"), " ", el("b", {}, number(state.loss)));
      promise.textContent = t("step.coming");
    }
    caption.textContent = t(taken ? "step.moved" : "step.would", {lr, step: steps});
    const most = Math.max(...moves.map(largest));
    cells.forEach((parts, i) => {
      const [name] = DATA.parameters[i];
      const limit = largest(moves[i]);
      parts.name.textContent = nameOfParameter(name);
      parts.norm.textContent = number(Math.sqrt(squares(moves[i])) / lr, 3);
      parts.most.textContent = number(limit, 3);
      parts.bar.style.width = `${(100 * limit) / (most || 1)}%`;
      parts.canvas.setAttribute(
        "aria-label",
        t("step.picture.label", {name: nameOfParameter(name), limit: number(limit, 3)}),
      );
      drawRows(parts.canvas, moves[i], (x) => signedColour(x, limit));
    });
    const all = [];
    moves.forEach((array, i) =>
      array.forEach((move, at) => {
        if (Math.abs(move) > 0.2 * most) all.push([i, at]);
      }),
    );
    all.sort(([i, a], [j, b]) => Math.abs(moves[j][b]) - Math.abs(moves[i][a]));
    movers.replaceChildren(
      ...all.slice(0, 5).map(([i, at]) => {
        const [name, shape] = DATA.parameters[i];
        const [from, by] = [before[name][at], moves[i][at]];
        const place = `${nameOfParameter(name)} [${indicesOf(shape, at).join(", ")}]`;
        return el("li", {}, `${place}: ${number(from)} → ${number(from + by)}`);
      }),
    );
    drawCourse();
  });

  /** The losses so far, one point for each step. */
  function drawCourse() {
    const losses = state.losses.length ? state.losses : [state.loss];
    const high = Math.max(...losses) * 1.1 || 1;
    const points = losses.map((loss, i) => [40 + (340 * i) / Math.max(4, losses.length - 1), 90 - (80 * loss) / high]);
    course.setAttribute("aria-label", t("step.course", {losses: losses.map((loss) => number(loss)).join(", ")}));
    course.replaceChildren(
      el("svg:line", {x1: 40, x2: 390, y1: 90, y2: 90, class: "axis"}),
      el("svg:text", {x: 34, y: 94, class: "end"}, "0"),
      el("svg:text", {x: 34, y: points[0][1] + 4, class: "end"}, number(losses[0], 2)),
      el("svg:text", {x: 390, y: 106, class: "end"}, t("step.axis")),
      polyline(points, "line"),
      ...points.map(([cx, cy]) => el("svg:circle", {cx, cy, r: 3.5, class: "point"})),
    );
  }
}

{
  const place = document.getElementById("training");
  const slider = el("input", {
    type: "range",
    id: "slider",
    min: 0,
    max: EPOCHS.length - 1,
    step: 1,
    oninput: () => chooseEpoch(Number(slider.value)),
  });
  const measured = el("p", {id: "measured"});
  const rightNow = el("p", {class: "note", id: "right-now"});
  const curves = el("svg:svg", {viewBox: "0 0 480 200", id: "curves", role: "img"});
  const first = new Maps([6, 5, 5], 6, 5);
  const second = new Maps([96, 5, 5], 24, 2);
  const captions = [el("figcaption"), el("figcaption")];
  const rounded = el("p", {class: "note"});
  place.append(
    el("p", {class: "row"}, el("label", {for: "slider", "data-text": "epochs.slider"}), slider),
    measured,
    rightNow,
    el(
      "div",
      {class: "two"},
      DATA.history.length
        ? el(
            "div",
            {},
            curves,
            el(
              "p",
              {class: "note keys"},
              ...["loss", "train", "test"].map((key) =>
                el("span", {class: key}, el("i", {"aria-hidden": true}), el("span", {"data-text": `epochs.${key}`})),
              ),
            ),
          )
        : null,
      el("div", {}, el("figure", {}, captions[0], first.element), el("figure", {}, captions[1], second.element)),
    ),
    rounded,
  );

  views.push(() => {
    const epoch = EPOCHS[state.epoch];
    const row = DATA.history.find(([of]) => of === epoch);
    slider.value = state.epoch;
    slider.disabled = EPOCHS.length < 2;
    const values = row && {loss: number(row[1], 3), train: percent(row[2]), test: percent(row[3])};
    measured.textContent =
      epoch === 0 ? t("epochs.initial") : row ? t("epochs.measured", {epoch, ...values}) : t("epochs.after", {epoch});
    slider.setAttribute("aria-valuetext", measured.textContent);
    rightNow.textContent = t("epochs.right", {right: gallery.right(), count: IMAGES.length});
    for (const [maps, name, caption] of [
      [first, "0.weight", captions[0]],
      [second, "3.weight", captions[1]],
    ]) {
      const limit = largest(state.weights[name]);
      maps.draw(state.weights[name], (x) => signedColour(x, limit));
      caption.textContent = t(`epochs.filters.${name[0]}`, {limit: number(limit, 3)});
    }
    rounded.textContent = t("epochs.rounded", {shown: EPOCHS.length, all: DATA.epoch + 1});
    drawCurves(epoch);
  });

  function drawCurves(epoch) {
    const last = DATA.history.length;
    const high = Math.ceil(Math.max(...DATA.history.map((row) => row[1])));
    const x = (n) => 36 + (400 * n) / Math.max(1, last);
    const y = (share) => 172 - 160 * share;
    const line = (column, scale, kind) =>
      polyline(
        DATA.history.map((row) => [x(row[0]), y(row[column] / scale)]),
        kind,
      );
    curves.setAttribute("aria-label", t("epochs.curves"));
    curves.replaceChildren(
      el("svg:line", {x1: 36, x2: 436, y1: y(0), y2: y(0), class: "axis"}),
      ...[0, 0.5, 1].flatMap((share) => [
        el("svg:text", {x: 30, y: y(share) + 4, class: "end"}, (share * high).toFixed(1)),
        el("svg:text", {x: 442, y: y(share) + 4}, `${100 * share}%`),
      ]),
      ...[...Array(last + 1).keys()]
        .filter((n) => n % Math.ceil(last / 10) === 0)
        .map((n) => el("svg:text", {x: x(n), y: 190, class: "middle"}, String(n))),
      el("svg:line", {x1: x(epoch), x2: x(epoch), y1: y(0), y2: y(1), class: "now"}),
      line(1, high, "line loss"),
      line(2, 1, "line train"),
      line(3, 1, "line test"),
    );
  }
}
