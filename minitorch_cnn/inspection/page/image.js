// The gallery of test images, and the board to draw on.

const gallery = (() => {
  const place = document.getElementById("gallery");
  const buttons = IMAGES.map((image, i) => {
    const canvas = el("canvas", {width: 28, height: 28, "aria-hidden": true});
    drawRows(canvas, image, (x) => greyColour(x, 0, 1));
    return el("button", {type: "button", role: "radio", onclick: () => chooseImage(i)}, canvas);
  });
  place.append(...buttons);
  place.addEventListener("keydown", (event) => {
    const by = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    const next = (buttons.indexOf(document.activeElement) + by + buttons.length) % buttons.length;
    chooseImage(next);
    buttons[next].focus();
  });

  let weights = null;
  let guesses = [];
  views.push(() => {
    if (weights !== state.weights) {
      weights = state.weights;
      guesses = IMAGES.map((image) => guessOf(forward(weights, image)[LOGITS]));
    }
    buttons.forEach((button, i) => {
      const [truth, guess] = [className(DATA.labels[i]), className(guesses[i])];
      button.setAttribute("aria-checked", i === state.chosen);
      button.tabIndex = i === state.chosen || (state.chosen < 0 && i === 0) ? 0 : -1;
      button.classList.toggle("is-wrong", guesses[i] !== DATA.labels[i]);
      const words = guesses[i] === DATA.labels[i] ? truth : t("image.taken", {truth, guess});
      button.setAttribute("aria-label", words);
      button.title = words;
    });
  });
  return {right: () => guesses.filter((guess, i) => guess === DATA.labels[i]).length};
})();

{
  const maps = new Maps([1, 28, 28], 1, 5);
  let cursor = placeOf([28, 28], [14, 14]);
  let erases = false;
  let last = null;
  Object.entries({
    tabindex: 0,
    role: "application",
    "data-label": "draw.board",
    "aria-describedby": "draw-how",
  }).forEach(([key, value]) => maps.element.setAttribute(key, value));
  maps.element.classList.add("board");

  function paint(change) {
    state.image = state.image.map(change);
    Object.assign(state, {chosen: -1, losses: []});
    update();
  }

  /** How far a point is from the line between two others, in cells. */
  function distance(x, y, [fromX, fromY], [toX, toY]) {
    const [dx, dy] = [toX - fromX, toY - fromY];
    const length = dx * dx + dy * dy;
    const along = length ? Math.min(1, Math.max(0, ((x - fromX) * dx + (y - fromY) * dy) / length)) : 0;
    return Math.hypot(x - fromX - along * dx, y - fromY - along * dy);
  }

  /** Draw with a soft brush from where the pointer was to where it is. */
  function stroke(event) {
    const box = maps.canvas.getBoundingClientRect();
    const to = [(28 * (event.clientX - box.left)) / box.width, (28 * (event.clientY - box.top)) / box.height];
    const from = last || to;
    last = to;
    paint((value, i) => {
      const ink = Math.min(1, Math.max(0, 1.7 - distance((i % 28) + 0.5, Math.floor(i / 28) + 0.5, from, to)));
      return erases ? Math.min(value, 1 - ink) : Math.max(value, ink);
    });
  }

  maps.element.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    maps.element.focus();
    maps.element.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  maps.element.addEventListener("pointermove", (event) => {
    if (maps.element.hasPointerCapture(event.pointerId)) stroke(event);
  });
  maps.element.addEventListener("keydown", (event) => {
    const to = maps.placeBy(event.key, cursor);
    if (event.key === " " || event.key === "Enter") paint((value, i) => (i === cursor ? (value < 0.5 ? 1 : 0) : value));
    else if (to >= 0) cursor = to;
    else return;
    event.preventDefault();
    showCursor();
    const [row, column] = indicesOf([28, 28], cursor);
    say(t("draw.at", {row, column, value: short(state.image[cursor])}));
  });

  function showCursor() {
    maps.clear();
    maps.markPlace("cursor", cursor);
  }

  const label = el(
    "select",
    {
      id: "label",
      onchange: (event) => {
        Object.assign(state, {label: Number(event.target.value), losses: []});
        update();
      },
    },
    ...Array.from({length: 10}, (_, k) => el("option", {value: k})),
  );
  const eraser = el("input", {
    type: "checkbox",
    id: "eraser",
    onchange: () => {
      erases = eraser.checked;
    },
  });

  document
    .getElementById("drawing")
    .append(
      maps.element,
      el(
        "p",
        {class: "row"},
        el("button", {type: "button", id: "empty", "data-text": "draw.empty", onclick: () => paint(() => 0)}),
        el("label", {}, eraser, el("span", {"data-text": "draw.erase"})),
      ),
      el("p", {class: "row"}, el("label", {for: "label", "data-text": "draw.label"}), label),
      el("p", {class: "note", id: "draw-how", "data-text": "draw.how"}),
    );

  views.push(() => {
    maps.draw(state.image, (x) => greyColour(x, 0, 1));
    showCursor();
    [...label.options].forEach((option, k) => {
      option.textContent = className(k);
    });
    label.value = state.label;
  });
}
