// The page's words, in two languages, and how numbers are written.

const STRINGS = JSON.parse(document.getElementById("strings").textContent);
const LANGUAGES = {en: "English", zh: "中文"};
let language = (navigator.language || "en").startsWith("zh") ? "zh" : "en";

/** A text of the table, with {names} replaced by values. */
function t(key, values = {}) {
  return STRINGS[key][language].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const className = (label) => t(`class.${label}`);
const layerName = (layer) => t(`layer.${LENET[layer].name}`);

/** Put the texts of the present language into the skeleton. */
function applyLanguage() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", t(element.dataset.label));
  say("");
}

/** Say something to a screen reader. */
function say(text) {
  document.getElementById("spoken").textContent = text;
}

// --- numbers -------------------------------------------------------------------------------------------------

const MINUS = "\u2212";
const TIMES = "\u00a0·\u00a0";
const raised = (number) => String(number).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));

/** A number with four significant digits, small ones with a power of ten. */
function number(x, digits = 4) {
  if (x === 0 || x === 1 || !Number.isFinite(x)) return String(x);
  const size = Math.abs(x);
  const sign = x < 0 ? MINUS : "";
  if (size >= 1e-3 && size < 1e5) return sign + size.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  const [mantissa, exponent] = size.toExponential(digits - 2).split("e");
  return `${sign}${mantissa}·10${raised(Number(exponent))}`;
}

/** A number as a factor or a later term: a negative one in brackets. */
const bracketed = (x, digits) => (x < 0 ? `(${number(x, digits)})` : number(x, digits));

/** A number as a term that is added: " + 0.5", " − 0.5". */
const added = (x) => `${x < 0 ? ` ${MINUS} ` : " + "}${number(Math.abs(x))}`;

/** Two digits after the point, for a cell. */
const short = (x) => (Math.abs(x) < 0.005 ? "0" : `${x < 0 ? MINUS : ""}${Math.abs(x).toFixed(2)}`);

const percent = (x) => `${(100 * x).toFixed(1)}\u00a0%`;

/** How many, with commas. */
const grouped = (count) => Math.round(count).toLocaleString("en");
