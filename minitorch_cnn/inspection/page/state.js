// What is shown: an image, its right class, the weights, one chosen number. Whoever changes it calls `update`.

const state = {
  chosen: DATA.start, // place of the image in the gallery; -1 once it was drawn on
  image: IMAGES[DATA.start],
  label: DATA.labels[DATA.start],
  epoch: EPOCHS.length - 1, // place in EPOCHS
  weights: weightsAfter(EPOCHS.length - 1),
  path: [], // for each layer, the place of the number that is followed
  lr: 0.1, // learning rate of a step of SGD
  losses: [], // before the first step of SGD made here, and after each
  number: {layer: 1, index: 0, pinned: false},
};
const views = []; // functions that show the state
const numberViews = []; // those that show the chosen number

/** Compute everything anew, and show it. */
function update() {
  state.values = forward(state.weights, state.image);
  state.gradients = backward(state.weights, state.values, state.label);
  state.probabilities = softmax(state.values[LOGITS]);
  state.loss = crossEntropy(state.values[LOGITS], state.label);
  for (const view of views) view();
  for (const view of numberViews) view();
}

function chooseImage(place) {
  Object.assign(state, {chosen: place, image: IMAGES[place], label: DATA.labels[place], losses: []});
  update();
}

function chooseEpoch(place) {
  Object.assign(state, {epoch: place, weights: weightsAfter(place), losses: []});
  update();
}

/** Choose a number to explain. One that is pinned stays until another is pinned. */
function chooseNumber(layer, index, pinned) {
  state.number = {layer, index, pinned};
  for (const view of numberViews) view();
}

const guessOf = (scores) => scores.indexOf(Math.max(...scores));

/** What a number is called: "conv1, map 2, row 5, column 7". */
function nameOf(layer, index) {
  const shape = LENET[layer].shape;
  if (layer === LOGITS) return `${layerName(layer)}, ${className(index)}`;
  if (shape.length === 1) return t("name.unit", {layer: layerName(layer), index});
  const [channel, row, column] = indicesOf(shape, index);
  return t(layer ? "name.place" : "name.pixel", {layer: layerName(layer), channel, row, column});
}

// --- the line that stays in sight ----------------------------------------------------------------------------

{
  const thumbnail = el("canvas", {width: 28, height: 28, "aria-hidden": true});
  const words = el("p", {id: "verdict"});
  const loss = el("p", {id: "loss"});
  const epoch = el("span", {id: "epoch-shown"});
  const back = el("button", {type: "button", class: "small", onclick: () => chooseEpoch(state.epoch - 1)}, "‹");
  const on = el("button", {type: "button", class: "small", onclick: () => chooseEpoch(state.epoch + 1)}, "›");
  document.getElementById("status").append(thumbnail, words, loss, el("p", {class: "stepper"}, back, epoch, on));

  views.push(() => {
    drawRows(thumbnail, state.image, (x) => greyColour(x, 0, 1));
    const guess = guessOf(state.probabilities);
    words.textContent = t(guess === state.label ? "status.right" : "status.wrong", {
      truth: className(state.label),
      guess: className(guess),
      share: percent(state.probabilities[guess]),
    });
    words.className = guess === state.label ? "" : "is-wrong";
    loss.textContent = t("status.loss", {loss: number(state.loss)});
    const steps = Math.max(0, state.losses.length - 1);
    epoch.textContent = t(steps ? "status.stepped" : "status.epoch", {epoch: EPOCHS[state.epoch], steps});
    back.disabled = state.epoch === 0;
    on.disabled = state.epoch === EPOCHS.length - 1;
    back.setAttribute("aria-label", t("status.back"));
    on.setAttribute("aria-label", t("status.on"));
  });
}
