// Elements from plain values. Text is only ever set as text, so that a name of a run is never read as HTML.

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value") node.value = value;
    else if (key === "style") Object.assign(node.style, value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

let quiet = 0;

export function say(sentence) {
  const place = document.getElementById("said");
  place.textContent = sentence;
  clearTimeout(quiet);
  quiet = setTimeout(() => { place.textContent = ""; }, 9000);
}

export function number(value, digits = 4) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(digits)));
}

// What stands at the ticks of an axis: as many decimals as tell one from the next.
export function tickNames(values) {
  const step = Math.min(...values.slice(1).map((value, i) => Math.abs(value - values[i])).filter((gap) => gap > 0));
  if (!Number.isFinite(step)) return values.map((value) => number(value));
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return values.map((value) => {
    const size = Math.abs(value);
    if (size === 0 || (size >= 1e-3 && size < 1e6)) return value.toLocaleString("en", { maximumFractionDigits: decimals });
    return value.toExponential(Math.min(12, Math.max(2, Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)))));
  });
}

export function seconds(value) {
  if (typeof value !== "number") return "–";
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min`;
}

// What a figure is called, as in the report of a run; others by their key.
const FIGURES = {
  macro_f1: "Macro F1", segment_f1: "Segment F1", bleu: "BLEU", rmse: "RMSE", mae: "Mean absolute error", r2: "R²", mase: "MASE",
  exact_match: "Exactly right", character_error_rate: "Characters to edit", symbol_error_rate: "Symbols to edit",
  n_test: "Judged on", n_train: "Trained on", n_trained_on: "Judged on after training on them", train_seconds: "Seconds of training",
};

export function titled(key) {
  const name = key.replace(/^valid_/, "");
  return FIGURES[name] ?? (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");
}

export function labelled(text, control) {
  return el("label", {}, text, control);
}

export function choice(text, options, value, change) {
  const box = el("select", { onchange: (event) => change(event.target.value) },
    options.map(([key, shown]) => el("option", { value: key, selected: key === value }, shown)));
  return labelled(text, box);
}

export function check(text, value, change) {
  return el("label", { class: "check" }, el("input", { type: "checkbox", checked: value, onchange: (event) => change(event.target.checked) }), text);
}

export function button(text, click, attributes = {}) {
  return el("button", { type: "button", onclick: click, ...attributes }, text);
}
