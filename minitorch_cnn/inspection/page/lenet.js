"use strict";
// LeNet's arithmetic, for one image, with the names of the library. Arrays are flat, in PyTorch's order: (C, H, W).
// Nothing here knows of the page.

/** The layers in their order; the index of a layer is also that of its output. Layer 0 is the image. */
const LENET = [
  {name: "input", kind: "input", shape: [1, 28, 28]},
  {name: "conv1", kind: "conv2d", shape: [6, 28, 28], parameters: "0", geometry: {kernel: 5, padding: 2}},
  {name: "sigmoid1", kind: "sigmoid", shape: [6, 28, 28]},
  {name: "pool1", kind: "avgPool2d", shape: [6, 14, 14], geometry: {kernel: 2, stride: 2}},
  {name: "conv2", kind: "conv2d", shape: [16, 10, 10], parameters: "3", geometry: {kernel: 5}},
  {name: "sigmoid2", kind: "sigmoid", shape: [16, 10, 10]},
  {name: "pool2", kind: "avgPool2d", shape: [16, 5, 5], geometry: {kernel: 2, stride: 2}},
  {name: "linear1", kind: "linear", shape: [120], parameters: "7"},
  {name: "sigmoid3", kind: "sigmoid", shape: [120]},
  {name: "linear2", kind: "linear", shape: [84], parameters: "9"},
  {name: "sigmoid4", kind: "sigmoid", shape: [84]},
  {name: "linear3", kind: "linear", shape: [10], parameters: "11"},
];
const LOGITS = LENET.length - 1;

// --- windows -------------------------------------------------------------------------------------------------

/** How many windows fit along an axis: 0 or less if the kernel is larger than the padded image. */
function windowCount(size, {kernel, stride = 1, padding = 0, dilation = 1}) {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Where the entries of the im2col matrix come from: their places in x, or -1 in the padding. Rows are the elements
 *  (c, u, v) of a window, columns the windows (r, q). They are the same for every image, and computed once. */
function windowPlaces([channels, height, width], geometry) {
  const {kernel, stride = 1, padding = 0, dilation = 1} = geometry;
  const key = [channels, height, width, kernel, stride, padding, dilation].join();
  if (windowPlaces.known.has(key)) return windowPlaces.known.get(key);
  const places = [];
  for (let c = 0; c < channels; c++)
    for (let u = 0; u < kernel; u++)
      for (let v = 0; v < kernel; v++)
        for (let r = 0; r < windowCount(height, geometry); r++)
          for (let q = 0; q < windowCount(width, geometry); q++) {
            const row = r * stride + u * dilation - padding;
            const column = q * stride + v * dilation - padding;
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            places.push(inside ? (c * height + row) * width + column : -1);
          }
  windowPlaces.known.set(key, Int32Array.from(places));
  return windowPlaces(...arguments);
}
windowPlaces.known = new Map();

/** The windows of x as the columns of a matrix: (C K K, OH OW). */
function im2col(x, shape, geometry) {
  const places = windowPlaces(shape, geometry);
  const columns = new Float64Array(places.length);
  for (let i = 0; i < places.length; i++) if (places[i] >= 0) columns[i] = x[places[i]];
  return columns;
}

/** Every window added back to where it came from: the transpose of im2col. */
function col2im(columns, shape, geometry) {
  const places = windowPlaces(shape, geometry);
  const x = new Float64Array(shape[0] * shape[1] * shape[2]);
  for (let i = 0; i < places.length; i++) if (places[i] >= 0) x[places[i]] += columns[i];
  return x;
}

// --- products ------------------------------------------------------------------------------------------------

/** a (M, K) times b (K, N). */
function matmul(a, b, m, k, n) {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++) {
      const factor = a[i * k + l];
      for (let j = 0; j < n; j++) y[i * n + j] += factor * b[l * n + j];
    }
  return y;
}

function transpose(a, rows, columns) {
  const y = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[j * rows + i] = a[i * columns + j];
  return y;
}

// --- the layers, forward and backward ------------------------------------------------------------------------

/** The filters (O, C K K) times the columns, plus the bias: (O, OH OW). */
function conv2d(x, shape, weight, bias, geometry) {
  const rows = shape[0] * geometry.kernel ** 2;
  const count = bias.length;
  const columns = im2col(x, shape, geometry);
  const places = columns.length / rows;
  const y = matmul(weight, columns, count, rows, places);
  for (let o = 0; o < count; o++) for (let j = 0; j < places; j++) y[o * places + j] += bias[o];
  return y;
}

/** dx = col2im(weight^T dy),  dWeight = dy columns^T,  dBias = the sums of dy. */
function conv2dBackward(dy, x, shape, weight, bias, geometry) {
  const rows = shape[0] * geometry.kernel ** 2;
  const count = bias.length;
  const places = dy.length / count;
  const columns = im2col(x, shape, geometry);
  return {
    dx: col2im(matmul(transpose(weight, count, rows), dy, rows, count, places), shape, geometry),
    dWeight: matmul(dy, transpose(columns, rows, places), count, places, rows),
    dBias: matmul(dy, new Float64Array(places).fill(1), count, places, 1),
  };
}

/** The mean of each window. Each channel is an image of its own. */
function avgPool2d(x, [channels, height, width], geometry) {
  const rows = geometry.kernel ** 2;
  const maps = [];
  for (let c = 0; c < channels; c++) {
    const map = x.subarray(c * height * width, (c + 1) * height * width);
    const columns = im2col(map, [1, height, width], geometry);
    maps.push(...matmul(new Float64Array(rows).fill(1 / rows), columns, 1, rows, columns.length / rows));
  }
  return Float64Array.from(maps);
}

/** Each element of dy, shared out evenly to its window. */
function avgPool2dBackward(dy, [channels, height, width], geometry) {
  const rows = geometry.kernel ** 2;
  const places = dy.length / channels;
  const dx = new Float64Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    const columns = matmul(
      new Float64Array(rows).fill(1 / rows),
      dy.subarray(c * places, (c + 1) * places),
      rows,
      1,
      places,
    );
    dx.set(col2im(columns, [1, height, width], geometry), c * height * width);
  }
  return dx;
}

/** y = 1 / (1 + e^-x). */
const sigmoid = (x) => x.map((value) => 1 / (1 + Math.exp(-value)));

/** dx = dy y (1 - y). */
const sigmoidBackward = (dy, y) => dy.map((value, i) => value * y[i] * (1 - y[i]));

/** y = weight x + bias, with the weight (O, I). */
function linear(x, weight, bias) {
  return matmul(weight, x, bias.length, x.length, 1).map((value, j) => value + bias[j]);
}

/** dx = weight^T dy,  dWeight = dy x^T,  dBias = dy. */
function linearBackward(dy, x, weight) {
  return {
    dx: matmul(dy, weight, 1, dy.length, x.length),
    dWeight: matmul(dy, x, dy.length, 1, x.length),
    dBias: dy.slice(),
  };
}

function softmax(z) {
  const largest = Math.max(...z);
  const powers = z.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** The loss: the logarithm of the sum of e^z, less the logit of the right class. */
function crossEntropy(z, label) {
  const largest = Math.max(...z);
  return largest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0)) - z[label];
}

/** dz = softmax(z) - 1 at the label. */
const crossEntropyBackward = (z, label) => softmax(z).map((p, k) => p - (k === label ? 1 : 0));

// --- the network ---------------------------------------------------------------------------------------------

const weightOf = (layer, weights) => weights[`${LENET[layer].parameters}.weight`];
const biasOf = (layer, weights) => weights[`${LENET[layer].parameters}.bias`];

/** The outputs of all layers, the image first, the ten logits last. */
function forward(weights, image) {
  const values = [image];
  for (let layer = 1; layer < LENET.length; layer++) {
    const {kind, geometry} = LENET[layer];
    const x = values[layer - 1];
    const shape = LENET[layer - 1].shape;
    if (kind === "conv2d") values.push(conv2d(x, shape, weightOf(layer, weights), biasOf(layer, weights), geometry));
    if (kind === "sigmoid") values.push(sigmoid(x));
    if (kind === "avgPool2d") values.push(avgPool2d(x, shape, geometry));
    if (kind === "linear") values.push(linear(x, weightOf(layer, weights), biasOf(layer, weights)));
  }
  return values;
}

/** The gradients of the loss: `maps` by the output of each layer, `weights` by each parameter. */
function backward(weights, values, label) {
  const gradients = {maps: [], weights: {}};
  let dy = crossEntropyBackward(values[LOGITS], label);
  for (let layer = LOGITS; layer >= 1; layer--) {
    const {kind, geometry, parameters} = LENET[layer];
    const x = values[layer - 1];
    const shape = LENET[layer - 1].shape;
    gradients.maps[layer] = dy;
    if (kind === "sigmoid") dy = sigmoidBackward(dy, values[layer]);
    else if (kind === "avgPool2d") dy = avgPool2dBackward(dy, shape, geometry);
    else {
      const found =
        kind === "linear"
          ? linearBackward(dy, x, weightOf(layer, weights))
          : conv2dBackward(dy, x, shape, weightOf(layer, weights), biasOf(layer, weights), geometry);
      gradients.weights[`${parameters}.weight`] = found.dWeight;
      gradients.weights[`${parameters}.bias`] = found.dBias;
      dy = found.dx;
    }
  }
  gradients.maps[0] = dy;
  return gradients;
}

/** One step of stochastic gradient descent: w - lr dw. The weights that are given stay as they are. */
function sgdStep(weights, gradients, lr) {
  const stepped = {};
  for (const name in weights) stepped[name] = weights[name].map((w, i) => w - lr * gradients[name][i]);
  return stepped;
}

// --- one number and those it comes from ----------------------------------------------------------------------

/** Visit what a number of a layer is computed from: visit(place in the layer below, or -1 in the padding; the
 *  derivative by it; the place of the weight between them, or -1). */
function eachSource(layer, index, weights, values, visit) {
  const {kind, geometry, shape} = LENET[layer];
  const below = LENET[layer - 1].shape;
  if (kind === "sigmoid") {
    const y = values[layer][index];
    visit(index, y * (1 - y), -1);
  } else if (kind === "linear") {
    const weight = weightOf(layer, weights);
    const count = weight.length / shape[0];
    for (let i = 0; i < count; i++) visit(i, weight[index * count + i], index * count + i);
  } else {
    const {kernel, stride = 1, padding = 0} = geometry;
    const [channels, height, width] = below;
    const [channel, row, column] = indicesOf(shape, index);
    const weight = kind === "conv2d" ? weightOf(layer, weights) : null;
    const first = weight ? 0 : channel;
    const last = weight ? channels - 1 : channel;
    for (let c = first; c <= last; c++)
      for (let u = 0; u < kernel; u++)
        for (let v = 0; v < kernel; v++) {
          const i = row * stride + u - padding;
          const j = column * stride + v - padding;
          const place = i >= 0 && i < height && j >= 0 && j < width ? (c * height + i) * width + j : -1;
          const at = weight ? ((channel * channels + c) * kernel + u) * kernel + v : -1;
          visit(place, weight ? weight[at] : 1 / kernel ** 2, at);
        }
  }
}

/** The indices of the place in an array of this shape. */
function indicesOf(shape, place) {
  const indices = [];
  for (const size of [...shape].reverse()) {
    indices.unshift(place % size);
    place = Math.floor(place / size);
  }
  return indices;
}

/** The place of these indices in an array of this shape. */
const placeOf = (shape, indices) => indices.reduce((place, index, axis) => place * shape[axis] + index, 0);

/** For every number: the largest product of derivatives on one path from it to the loss (`best`, which goes on at
 *  `next`), and how many paths there are (`count`). With a class as `goal`, the best paths are those to it. */
function pathsToLoss(weights, values, label, goal = -1) {
  const paths = [];
  const last = crossEntropyBackward(values[LOGITS], label).map((dz, k) => (goal < 0 || goal === k ? Math.abs(dz) : 0));
  paths[LOGITS] = {best: last, next: null, count: last.map(() => 1)};
  for (let layer = LOGITS; layer >= 1; layer--) {
    const {best, count} = paths[layer];
    const size = values[layer - 1].length;
    const below = {
      best: new Float64Array(size).fill(-1),
      next: new Int32Array(size).fill(-1),
      count: new Float64Array(size),
    };
    for (let index = 0; index < best.length; index++)
      eachSource(layer, index, weights, values, (place, derivative) => {
        if (place < 0) return;
        below.count[place] += count[index];
        if (Math.abs(derivative) * best[index] > below.best[place]) {
          below.best[place] = Math.abs(derivative) * best[index];
          below.next[place] = index;
        }
      });
    paths[layer - 1] = below;
  }
  return paths;
}

/** The strongest path through a number: for each layer, a place in it. Downwards it takes the largest product. */
function strongestPath(paths, layer, index, weights, values) {
  const path = [];
  path[layer] = index;
  for (let l = layer; l >= 1; l--) {
    let largest = -1;
    eachSource(l, path[l], weights, values, (place, derivative) => {
      if (place >= 0 && Math.abs(derivative * values[l - 1][place]) > largest) {
        largest = Math.abs(derivative * values[l - 1][place]);
        path[l - 1] = place;
      }
    });
  }
  for (let l = layer; l < LOGITS; l++) path[l + 1] = paths[l].next[path[l]];
  return path;
}
