// Curves, signals and heat maps on a canvas: own small drawing code. Every plot is drawn anew when its width or the colours change.
import { el, number, tickNames } from "./dom.js";

const COLOURS = ["blue", "orange", "green", "purple"];

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const colourOf = (place) => COLOURS[place % COLOURS.length];

// Draws once a frame at most, however often it is asked to.
export function canvas(height, draw, label) {
  const node = el("canvas", { role: "img", "aria-label": label });
  node.style.height = `${height}px`;
  let waiting = false;
  node.redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const width = node.clientWidth;
      if (!width) return;
      const scale = devicePixelRatio || 1;
      if (node.width !== Math.round(width * scale)) node.width = Math.round(width * scale);
      if (node.height !== Math.round(height * scale)) node.height = Math.round(height * scale);
      const context = node.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, height);
      context.save(); // what a drawing sets is not there at its next
      context.font = "12px system-ui, sans-serif";
      draw(context, width, height);
      context.restore();
    });
  };
  new ResizeObserver(node.redraw).observe(node);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", node.redraw);
  return node;
}

export function ticks(low, high, count) {
  // Numbers that differ by rounding alone: a step below their last digit would never come to the end.
  const span = Math.max(high - low, 1e-12 * Math.max(Math.abs(low), Math.abs(high))) || 1;
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) || power * 10;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
    for (const m of high - low > 3 ? [1] : [1, 2, 5]) {
      const at = power + Math.log10(m);
      if (at >= low && at <= high) found.push(at);
    }
  }
  // Between two of these there may be none: then those of the numbers themselves.
  return found.length ? found : ticks(10 ** low, 10 ** high, 3).filter((at) => at > 0).map(Math.log10);
}

// Exponential smoothing that is not pulled towards zero at the beginning.
export function smoothed(values, share) {
  if (!share) return values;
  let sum = 0, weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = share * sum + (1 - share) * value;
    weight = share * weight + (1 - share);
    return sum / weight;
  });
}

// Of many points the least and greatest of each column of the screen, so that 10,000 epochs are drawn as fast as 100.
function thinned(xs, ys, left, width, place) {
  if (xs.length < 3 * width) return xs.map((x, i) => [place(x), ys[i]]);
  const points = [];
  let column = -1, low = null, high = null;
  const flush = () => {
    if (low === null) return;
    points.push([column + left, low]);
    if (high !== low) points.push([column + left, high]);
  };
  xs.forEach((x, i) => {
    if (ys[i] === null) return;
    const at = Math.floor(place(x) - left);
    if (at !== column) { flush(); column = at; low = high = ys[i]; }
    low = Math.min(low, ys[i]);
    high = Math.max(high, ys[i]);
  });
  flush();
  return points;
}

/** Lines over a common axis: series of {name, xs, ys, colour, dashed, steps}, level lines of {name, y}. */
export function plot({ height = 220, label, xTitle = "epoch", view }) {
  const node = canvas(height, (context, width) => {
    const { series, levels = [], log = false, marks = [], range } = view();
    const left = 58, right = width - 10, top = 10, bottom = height - 34;
    const up = (value) => (value === null || value === undefined ? null : log ? (value > 0 ? Math.log10(value) : null) : value);
    let lowX = Infinity, highX = -Infinity, lowY = Infinity, highY = -Infinity;
    const lines = series.map((one) => ({ ...one, ups: one.ys.map(up) }));
    for (const one of lines) {
      one.ups.forEach((y, i) => {
        if (one.xs[i] < lowX) lowX = one.xs[i];
        if (one.xs[i] > highX) highX = one.xs[i];
        if (y === null) return;
        if (y < lowY) lowY = y;
        if (y > highY) highY = y;
      });
    }
    for (const { y } of levels) {
      const at = up(y);
      if (at !== null && Number.isFinite(lowY)) { lowY = Math.min(lowY, at); highY = Math.max(highY, at); }
    }
    if (range) [lowY, highY] = range;
    context.fillStyle = colour("muted");
    if (!Number.isFinite(lowY)) {
      context.fillText("Nothing to draw yet.", left, height / 2);
      return;
    }
    if (lowX === highX) { lowX -= 0.5; highX += 0.5; }
    // what differs by rounding alone is one value
    if (highY - lowY <= 1e-9 * Math.abs(highY)) { lowY -= Math.abs(lowY) * 0.1 || 0.5; highY += Math.abs(highY) * 0.1 || 0.5; }
    const px = (x) => left + ((x - lowX) / (highX - lowX)) * (right - left);
    const py = (y) => bottom - ((y - lowY) / (highY - lowY)) * (bottom - top);
    node.scaleX = { lowX, highX, left, right };
    context.strokeStyle = colour("grid");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const rows = log ? logTicks(lowY, highY) : ticks(lowY, highY, 5);
    const names = tickNames(log ? rows.map((y) => 10 ** y) : rows);
    rows.forEach((y, i) => {
      context.beginPath();
      context.moveTo(left, py(y));
      context.lineTo(right, py(y));
      context.stroke();
      context.fillText(names[i], left - 6, py(y));
    });
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const x of ticks(lowX, highX, Math.min(8, width / 90))) {
      const half = context.measureText(number(x)).width / 2; // the last one would be cut at the edge
      context.fillText(number(x), Math.min(px(x), width - half), bottom + 5);
    }
    context.textAlign = "right";
    context.fillText(xTitle, right, bottom + 19);
    for (const { y, dashed = true } of levels) {
      const at = up(y);
      if (at === null) continue;
      context.setLineDash(dashed ? [3, 4] : []);
      context.strokeStyle = colour("muted");
      context.beginPath();
      context.moveTo(left, py(at));
      context.lineTo(right, py(at));
      context.stroke();
    }
    for (const one of lines) {
      context.setLineDash(one.dashed ? [6, 4] : []);
      context.strokeStyle = colour(one.colour);
      context.globalAlpha = one.faint ? 0.3 : 1;
      context.lineWidth = one.faint ? 1 : 2;
      context.beginPath();
      let open = false, before = null;
      for (const [x, y] of thinned(one.xs, one.ups, left, right - left, px)) {
        if (y === null) { open = false; continue; }
        if (open && one.steps) context.lineTo(x, before);
        if (open) context.lineTo(x, py(y));
        else context.moveTo(x, py(y));
        open = true;
        before = py(y);
      }
      context.stroke();
      if (one.xs.length === 1 && one.ups[0] !== null) { context.fillStyle = colour(one.colour); context.fillRect(px(one.xs[0]) - 2, py(one.ups[0]) - 2, 4, 4); }
      context.globalAlpha = 1;
    }
    context.setLineDash([]);
    for (const { x, name } of marks) {
      context.strokeStyle = colour("ink");
      context.fillStyle = colour("ink");
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(px(x), top);
      context.lineTo(px(x), bottom);
      context.stroke();
      context.textAlign = px(x) > (left + right) / 2 ? "right" : "left";
      context.textBaseline = "top";
      context.fillText(name, px(x) + (px(x) > (left + right) / 2 ? -5 : 5), top);
    }
  }, label);
  return node;
}

export function legend(series, levels = []) {
  return el("ul", { class: "legend" },
    series.map((one) => el("li", {}, el("i", { class: one.dashed ? "dashed" : null, style: { borderColor: `var(--${one.colour})` } }), one.name)),
    levels.map((one) => el("li", {}, el("i", { class: "dashed", style: { borderColor: "var(--muted)" } }), `${one.name} ${number(one.y)}`)));
}

export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function rgb(name) {
  const code = colour(name);
  return [1, 3, 5].map((place) => parseInt(code.slice(place, place + 2), 16));
}

/** A heat map from bytes: blue for more, orange for less than zero; its ground is the page's. */
export function heatMap(heat, { height, label, minWidth = 0 }) {
  const content = bytesOf(heat.bytes);
  const node = canvas(height, (context, width) => {
    const picture = new ImageData(heat.columns, heat.rows);
    const blue = rgb("blue"), orange = rgb("orange");
    const around = heat.low < 0;
    content.forEach((value, i) => {
      const share = around ? (value - 127.5) / 127.5 : value / 255;
      const tone = share < 0 ? orange : blue;
      picture.data.set([...tone, Math.round(255 * Math.min(1, Math.abs(share)))], 4 * i);
    });
    const small = new OffscreenCanvas(heat.columns, heat.rows);
    small.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 58, 0, width - 68, height);
    context.strokeStyle = colour("grid");
    context.strokeRect(58.5, 0.5, width - 69, height - 1);
  }, label);
  if (minWidth) node.style.minWidth = `${minWidth}px`;
  return node;
}
