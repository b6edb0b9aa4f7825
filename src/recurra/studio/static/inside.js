// Sequences of one or several runs: the worst mistakes first, and what each network thought, saw and kept.
import { address, attempt, get, post } from "./api.js";
import { button, choice, el, fill, labelled, number } from "./dom.js";
import { canvas, colour, colourOf, heatMap, legend, plot } from "./plot.js";

const METHODS = [["integrated_gradients", "integrated gradients"], ["occlusion", "occlusion"], ["gradient_times_input", "gradient times input"]];
const GATES = { i: "input gate i", f: "forget gate f", g: "candidate g", o: "output gate o", r: "reset gate r", z: "keep gate z", n: "candidate n", c: "cell state c", h: "state h" };
const SHOWN_CLASSES = 8;

export async function insidePage(main, words) {
  const names = words.getAll("run").slice(0, 4);
  if (!names.length) { location.hash = ""; return; }
  const found = await get("cases", { run: names[0] });
  const list = el("ul", { class: "list" }), place = el("div");
  let index = words.has("index") ? Number(words.get("index")) : found.cases[0]?.index;

  function choose(next) {
    index = next;
    list.querySelectorAll("button").forEach((node) => {
      if (Number(node.dataset.index) === index) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    });
    fill(place, names.map((run) => panel(run, index, names)));
  }

  fill(list, found.cases.map((one) => el("li", {}, button([
    el("span", { class: one.wrong ? "wrong" : null }, `${one.wrong ? "✗ " : ""}${one.name}`),
    el("span", { class: "muted" }, [one.predicted && ` said ${one.predicted}`, one.true && ` · true ${one.true}`, one.length && ` · ${number(one.length)} steps`].filter(Boolean).join(""))],
  () => choose(one.index), { "data-index": String(one.index) }))));
  fill(main,
    el("section", {}, el("h2", {}, `Inside ${names.join(", ")}`), el("p", {}, found.headline),
      el("details", {}, el("summary", {}, "What the network is made of"), names.map((run) => [
        names.length > 1 ? el("h3", {}, run) : null,
        ["network", "unrolled"].map((which) => el("div", { class: "hold", tabindex: "0", role: "region", "aria-label": `Diagram: ${which}` }, el("img", { class: "diagram", loading: "lazy", alt: `${which === "network" ? "The whole network" : "The recurrent layers unrolled"} of ${run}, with shapes and parameters`, src: address("diagram", { run, which }) })))]))),
    el("div", { class: "two" },
      el("section", {}, el("h2", {}, heading(found.cases)), el("div", { class: "tall", tabindex: "0", role: "region", "aria-label": "Sequences" }, list)), place));
  if (index !== undefined) choose(index);
}

function heading(cases) {
  if (cases.some((one) => one.wrong)) return "Worst mistakes first";
  return cases.length && cases.every((one) => one.predicted && one.true) ? "All of them right" : "Sequences";
}

// Of several runs each shows the sequence that the first one has at this place.
function panel(run, index, runs) {
  const section = el("section", {}, el("p", { class: "muted", role: "status" }, "Reading …"));
  attempt(async () => {
    try {
      const found = await get("case", { run, index, of: runs[0] });
      fill(section, el("h2", {}, runs.length > 1 ? `${found.name}, seen by ${run}` : found.name), ...view(run, found.index, found));
    } catch (error) {
      fill(section, el("h2", {}, run), el("p", { class: "care" }, error.message));
    }
  });
  return section;
}

function view(run, index, found) {
  if (found.why_not) return [el("p", {}, found.why_not)];
  const say = el("div"), over = el("div"), why = el("div"), inside = el("div");
  answer(say, over, found, found);
  const parts = [say];
  if (found.kind === "text" || found.kind === "tokens" || found.kind === "pairs") parts.push(textBox(run, index, found, say, over));
  else if (found.signal) parts.push(signalBox(run, index, found, say, over));
  parts.push(over, el("h3", {}, found.kind === "pairs" ? "Where it looks while it writes" : "What speaks for the answer"), whyBox(run, index, found, why), why);
  if (found.kind !== "pairs") parts.push(el("h3", {}, "Gates and states"), button("Show gates and states", (event) => { event.target.disabled = true; gates(run, index, inside); }), inside);
  return parts;
}

function answer(say, over, found, shown) {
  const told = [shown.predicted !== "" && `It says ${shown.predicted}`, found.true && `true is ${found.true}`].filter(Boolean).join("; ");
  fill(say, told ? el("p", {}, el("strong", {}, told)) : null,
    shown.shares ? el("p", { class: "muted" }, shown.shares.slice(0, 6).map(([name, share]) => `${name} ${(100 * share).toFixed(1)} %`).join(" · ")) : null);
  fill(over, shown.over ? overTime(shown.over, found) : null);
}

function overTime(over, found) {
  const all = over.names.map((name, place) => ({ name, ys: over.values[place] }));
  const height = (ys) => Math.max(...ys.map((y) => y ?? 0));
  const kept = all.sort((a, b) => height(b.ys) - height(a.ys)).slice(0, SHOWN_CLASSES);
  const series = kept.map((one, place) => ({ ...one, xs: over.steps, colour: colourOf(place), dashed: place > 3 }));
  const title = over.prefixes ? "What it would have said had the sequence ended here" : "What it said over time";
  const node = plot({ height: 160, label: title, xTitle: "step", view: () => ({ series, range: found.signal && over.names.length > 1 ? [0, 1] : undefined }) });
  const bands = found.truth?.length || found.answers?.length ? [band("true", found.truth || [], found, series), band("said", found.answers || [], found, series)] : [];
  return [el("h3", {}, title), el("figure", {}, node, bands, legend(series))];
}

// Stretches of labels, in the colours of their curves.
function band(title, stretches, found, series) {
  if (!stretches.length) return null;
  const shade = (label) => series.find((one) => one.name === label)?.colour || "muted";
  return canvas(26, (context, width) => {
    const place = (step) => 58 + (step / found.signal.steps) * (width - 68);
    context.textBaseline = "middle";
    for (const { start, stop, label } of stretches) {
      context.fillStyle = colour(shade(label));
      context.globalAlpha = 0.35;
      context.fillRect(place(start), 2, Math.max(1, place(stop) - place(start) - 1), 20);
      context.globalAlpha = 1;
      context.fillStyle = colour("ink");
      if (place(stop) - place(start) > context.measureText(label).width + 6) context.fillText(label, place(start) + 3, 12);
    }
    context.fillStyle = colour("muted");
    context.textAlign = "right";
    context.fillText(title, 52, 12);
  }, `Labels, ${title}: ${stretches.slice(0, 40).map((one) => `${one.label} from ${one.start} to ${one.stop}`).join(", ")}`);
}

function signalSeries(signal, names, chosen) {
  const kept = names.map((name, place) => ({ name, place })).filter(({ place }) => chosen === "all" || Number(chosen) === place);
  const steps = (count) => Array.from({ length: count }, (_, i) => i);
  return kept.flatMap(({ name, place }) => {
    const look = { name, colour: colourOf(place), dashed: place > 3 };
    if (signal.values) return [{ ...look, xs: steps(signal.steps), ys: signal.values[place] }];
    const xs = signal.low[place].flatMap((_, i) => { const at = (i / signal.low[place].length) * signal.steps; return [at, at]; });
    return [{ ...look, xs, ys: signal.low[place].flatMap((low, i) => [low, signal.high[place][i]]) }];
  });
}

function signalBox(run, index, found, say, over) {
  let signal = found.signal, chosen = found.channels.length > 8 ? "0" : "all", changes = [];
  const node = plot({ height: 200, label: `Signal of ${found.name}`, xTitle: "step", view: () => ({ series: signalSeries(signal, found.channels, chosen) }) });
  const key = el("div"), note = el("p", { class: "muted" }, "Drag the signal up or down to see the answer change.");
  const redraw = () => { node.redraw(); fill(key, legend(signalSeries(signal, found.channels, chosen))); };
  const ask = () => attempt(async () => {
    const next = await post("what-if", { run, index, changes });
    signal = next.signal;
    redraw();
    answer(say, over, found, next);
  });
  const form = { step: el("input", { type: "number", min: 0, max: found.signal.steps - 1, value: Math.floor(found.signal.steps / 2), style: { width: "7em" } }), width: el("input", { type: "number", min: 1, value: Math.max(1, Math.round(found.signal.steps / 20)), style: { width: "6em" } }), by: el("input", { type: "number", step: "any", value: 1, style: { width: "6em" } }) };
  const channel = () => (chosen === "all" ? 0 : Number(chosen));
  const change = (step, width, by) => {
    const first = Math.max(0, Math.min(found.signal.steps - 1, Math.round(step - width / 2)));
    changes.push([channel(), first, Math.min(found.signal.steps - 1, first + Math.max(0, Math.round(width) - 1)), by]);
    return ask();
  };
  dragged(node, (step, by) => change(step, Number(form.width.value), by));
  redraw();
  return el("div", {},
    el("div", { class: "row" }, choice("Channel", [["all", "all"], ...found.channels.map((name, place) => [String(place), name])], chosen, (value) => { chosen = value; redraw(); })),
    el("figure", {}, node, key), note,
    el("div", { class: "row" }, labelled("Around step", form.step), labelled("Steps wide", form.width), labelled("Add", form.by),
      button("Change the signal", () => change(Number(form.step.value), Number(form.width.value), Number(form.by.value))),
      button("As it was", () => { changes = []; ask(); })));
}

function dragged(node, act) {
  let from = null;
  node.classList.add("grab");
  node.addEventListener("pointerdown", (event) => { from = event; node.setPointerCapture(event.pointerId); });
  node.addEventListener("pointerup", (event) => {
    if (!from || !node.scaleX) return;
    const { lowX, highX, left, right } = node.scaleX;
    const step = lowX + ((from.offsetX - left) / (right - left)) * (highX - lowX);
    const by = ((from.offsetY - event.offsetY) / node.clientHeight) * 4;
    from = null;
    if (Math.abs(by) > 0.02) act(step, by);
  });
}

function textBox(run, index, found, say, over) {
  const box = el("textarea", { value: found.text, rows: 3 });
  const ask = () => attempt(async () => answer(say, over, {}, await post("what-if", { run, index, text: box.value })));
  return el("div", {}, el("p", {}, labelled("Edit the text to see the answer change", box)), button("Ask again", ask));
}

function whyBox(run, index, found, place) {
  let method = METHODS[0][0];
  const ask = (event) => {
    const node = event.target;
    node.disabled = true;
    attempt(async () => {
      try {
        explained(place, await get("explanation", { run, index, method }), found);
      } catch (error) {
        fill(place, el("p", { class: "care" }, error.message));
      }
    }).finally(() => { node.disabled = false; });
  };
  return el("div", { class: "row" }, found.kind === "pairs" ? null : choice("Method", METHODS, method, (value) => { method = value; }), button("Explain", ask));
}

function explained(place, why, found) {
  if (why.kind === "attention") { attention(place, why); return; }
  const top = Math.max(...(why.values || [0]).map(Math.abs), 1e-12);
  const tone = (value) => `color-mix(in srgb, var(--${value > 0 ? "blue" : "orange"}) ${Math.round((70 * Math.abs(value)) / top)}%, transparent)`;
  const parts = [el("p", { class: "muted" }, why.summary)];
  if (why.words) parts.push(el("p", { class: "words" }, why.words.map((word, i) => [el("span", { title: number(why.values[i]), style: { background: tone(why.values[i]) } }, word), " "])));
  if (why.frames) parts.push(el("div", { class: "frames", tabindex: "0", role: "region", "aria-label": "Frames" }, why.frames.map(({ step, png }) => el("figure", {}, el("img", { src: png, alt: `frame ${step}`, style: { borderColor: tone(why.values[step]) } }), el("figcaption", {}, `${step}: ${number(why.values[step], 2)}`)))));
  if (why.heat) parts.push(el("figure", {}, heatMap(why.heat, { height: Math.max(24, Math.min(220, 16 * why.heat.rows)), label: why.summary }), el("figcaption", {}, `Blue speaks for ${why.target}, orange against it; rows are ${why.channels.slice(0, 12).join(", ")}.`)));
  fill(place, parts);
}

function attention(place, why) {
  const rows = why.target.map((symbol, t) => el("tr", {}, el("th", { scope: "row" }, symbol), why.weights[t].map((weight) =>
    el("td", { title: number(weight, 2), style: { background: `color-mix(in srgb, var(--blue) ${Math.round(100 * weight)}%, transparent)` } }, ""))));
  fill(place, el("div", { class: "hold", tabindex: "0", role: "region", "aria-label": "Attention" }, el("table", {}, el("caption", {}, el("span", {}, "The stronger the colour, the more it looked at the symbol above while it wrote the one at the left.")),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "wrote"), why.source.map((symbol) => el("th", { scope: "col" }, symbol)))), el("tbody", {}, rows))));
}

async function gates(run, index, place) {
  try {
    const { layers } = await get("trace", { run, index });
    fill(place, layers.map((layer) => [el("h3", {}, layer.name), el("p", { class: "muted" }, layer.summary),
      el("div", { class: "heat", tabindex: "0", role: "region", "aria-label": `Gates and states of ${layer.name}` }, Object.entries(layer.rows).map(([symbol, heat]) =>
        el("figure", { style: { minWidth: `${Math.min(3000, Math.max(320, heat.columns * 3))}px` } }, el("figcaption", {}, `${GATES[symbol] || symbol}, ${heat.rows} units, the longest memory on top (${heat.low < 0 ? `orange ${number(heat.low, 2)}, blue ${number(heat.high, 2)}` : "clear 0, blue 1"})`),
          heatMap(heat, { height: Math.max(30, Math.min(160, 4 * heat.rows)), label: `${GATES[symbol] || symbol} over time` }))))]));
  } catch (error) {
    fill(place, el("p", { class: "care" }, error.message));
  }
}
