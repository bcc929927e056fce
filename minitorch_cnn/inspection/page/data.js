// What this page is about, as `explore.py` has written it: weights, images, curves.

const DATA = JSON.parse(document.getElementById("data").textContent);

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const IMAGES = (() => {
  const bytes = bytesOf(DATA.images);
  return DATA.labels.map((_, i) => Float64Array.from(bytes.subarray(784 * i, 784 * (i + 1)), (byte) => byte / 255));
})();

/** Cut one long array into the parameters, by name. */
function parametersOf(numbers) {
  const weights = {};
  let start = 0;
  for (const [name, shape] of DATA.parameters) {
    const size = shape.reduce((a, b) => a * b);
    weights[name] = Float64Array.from(numbers.subarray(start, (start += size)));
  }
  return weights;
}

/** The epochs whose weights are here, in order. The last one's are exact, the others' have 8 bits. */
const EPOCHS = [...DATA.earlier.map(([epoch]) => epoch), DATA.epoch];

const unpacked = new Map();

/** The weights after the epoch in this place of EPOCHS. */
function weightsAfter(place) {
  if (!unpacked.has(place)) unpacked.set(place, unpack(place));
  return unpacked.get(place);
}

function unpack(place) {
  if (place === DATA.earlier.length) return parametersOf(new Float32Array(bytesOf(DATA.weights).buffer));
  const [, rounded, scales] = DATA.earlier[place];
  const weights = parametersOf(new Int8Array(bytesOf(rounded).buffer));
  const scale = new Float32Array(bytesOf(scales).buffer);
  let row = 0;
  for (const [name, shape] of DATA.parameters) {
    const size = shape.length > 1 ? weights[name].length / shape[0] : weights[name].length;
    for (let i = 0; i < weights[name].length; i++) {
      if (i && i % size === 0) row++;
      weights[name][i] *= scale[row];
    }
    row++;
  }
  return weights;
}
