// One run: its curves as they grow, what there is to say about them, and the buttons that steer its training.
import { address, attempt, download, get, post } from "./api.js";
import { button, check, el, fill, labelled, number, say, seconds, titled } from "./dom.js";
import { legend, plot, smoothed } from "./plot.js";
import { linkTo } from "./runs.js";

const SECONDS_BETWEEN_WORRIES = 10;
const SECONDS_BETWEEN_DRAWINGS = 5;
const SHARE = 0.003; // of a processor, which a training beside may need

// Acts at once, then not before it has rested for some hundred times what it took.
function paced(action) {
  let last = -Infinity, took = 0, timer = 0;
  return () => {
    if (timer) return;
    const rest = Math.max(SECONDS_BETWEEN_DRAWINGS * 1000, took / SHARE);
    timer = setTimeout(() => {
      timer = 0;
      last = performance.now();
      action();
      requestAnimationFrame(() => { took = performance.now() - last; }); // after the canvases, which are drawn then
    }, Math.max(0, last + rest - performance.now()));
  };
}

export async function runPage(main, words, about) {
  const id = words.get("run");
  const found = await get("run", { run: id });
  let rows = found.rows, status = found.status, left = 0;
  const shown = { smooth: 0, log: false };
  const state = el("span"), tiles = el("div", { class: "tiles" }), buttons = el("div", { class: "row" });
  const plots = el("div", { class: "plots" }), care = el("div"), drawn = new Map(), skipped = el("p", { class: "muted" });

  const column = (key) => rows.map((row) => (typeof row[key] === "number" ? row[key] : null));
  // Some figures are taken every few epochs alone; their points are joined.
  const line = (key, name, colour, more = {}) => {
    const taken = rows.filter((row) => typeof row[key] === "number");
    return { name, colour, xs: taken.map((row) => row.epoch), ys: smoothed(taken.map((row) => row[key]), shown.smooth), ...more };
  };

  function groups() {
    const has = (key) => rows.some((row) => typeof row[key] === "number");
    const out = [["Loss", ["train_loss", "valid_loss"]]];
    const scores = [...new Set(rows.slice(-1).flatMap((row) => Object.keys(row)))].filter((key) => key.startsWith("valid_") && key !== "valid_loss");
    for (const key of scores) out.push([titled(key), [key]]);
    out.push(["Learning rate", ["learning_rate"]], ["Gradient norm before clipping", ["grad_norm_median", "grad_norm_max"]],
      ["How far gradients reach, in steps", ["gradient_horizon", "gradient_length"]]);
    return out.filter(([, keys]) => keys.some(has)).map(([title, keys]) => [title, keys.filter(has)]);
  }

  const series = (keys) => keys.map((key, i) => line(key, key.replaceAll("_", " "), key.startsWith("valid_") ? "orange" : i ? "purple" : "blue", { dashed: key === "gradient_length" }));
  const levels = (keys) => keys.filter((key) => key in found.naive.lines).map((key) => ({ name: found.naive.of, y: found.naive.lines[key] }));

  function draw() {
    const wanted = groups();
    if (wanted.map(([title]) => title).join() !== [...drawn.keys()].join()) {
      drawn.clear();
      fill(plots, wanted.map(([title, keys]) => {
        const view = () => ({ series: series(keys), levels: levels(keys), log: shown.log, marks: title === "Loss" ? best() : [] });
        const node = plot({ label: `${title}, by epoch`, view });
        drawn.set(title, node);
        return el("figure", {}, el("h3", {}, title), node, legend(series(keys), levels(keys)));
      }));
    }
    drawn.forEach((node) => node.redraw());
    if (!rows.length) fill(plots, el("p", { class: "muted" }, ["training", "paused"].includes(status.state) ? "The first epoch has not ended yet." : "No epoch can be read."));
    fill(skipped, left ? `While the training is faster than the page, ${number(left)} epochs are left out of the curves.` : "");
  }

  function best() {
    const losses = column("valid_loss");
    let place = -1;
    losses.forEach((loss, i) => { if (loss !== null && (place < 0 || loss < losses[place])) place = i; });
    return place < 0 ? [] : [{ x: rows[place].epoch, name: "lowest" }];
  }

  function timeLeft() {
    const last = rows.slice(-10).map((row) => row.seconds).filter((value) => typeof value === "number");
    if (!last.length || !status.max_epochs || status.state !== "training") return null;
    const each = last.reduce((a, b) => a + b) / last.length;
    return each * Math.max(0, status.max_epochs - rows[rows.length - 1].epoch);
  }

  function tell() {
    const last = rows[rows.length - 1] || {};
    state.className = `state ${status.state}`;
    const open = status.steerable && !about.read_only;
    state.textContent = status.state + (status.steerable && status.asked.includes("stop") ? ", stops after this batch" : "");
    const more = timeLeft();
    const all = [["Epoch", status.max_epochs && status.state !== "finished" ? `${number(last.epoch || 0)} of ${number(status.max_epochs)}` : number(last.epoch ?? 0)],
      ["Training loss", number(last.train_loss)], ["Validation loss", number(last.valid_loss)],
      ["Learning rate", number(last.learning_rate)], ["Steps a second", number(Math.round(last.steps_per_second ?? 0))],
      more === null ? null : [status.patience ? "Time left, at most" : "Time left", seconds(more)]].filter(Boolean);
    fill(tiles, all.map(([name, value]) => el("div", { class: "tile" }, el("div", { class: "name" }, name), el("div", { class: "value" }, value))));
    buttons.querySelectorAll("button").forEach((node) => { node.disabled = !open || (node.dataset.in && node.dataset.in !== status.state); });
  }

  // The answer says how things stood before the training looked; how they stand is told by the events alone.
  const steer = (command, more = {}) => attempt(async () => { await post("steer", { run: id, command, ...more }); say("Written into control.txt; the training looks after every batch."); });
  const epochs = el("input", { type: "number", min: 1, value: (status.max_epochs || found.epochs || 10) + 10, style: { width: "7em" } });
  fill(buttons, button("Stop and keep the best", () => steer("stop"), { class: "main" }), button("Pause", () => steer("pause"), { "data-in": "training" }),
    button("Go on", () => steer("go on"), { "data-in": "paused" }), labelled("Last epoch", epochs), button("Set the last epoch", () => steer("epochs", { epochs: Number(epochs.value) })));

  // Seldom: the whole history is read for it, and a training beside must not be slowed.
  let looked = performance.now();
  const worried = (sentences) => fill(care, sentences.map((sentence) => el("p", { class: "care" }, sentence)));
  async function worry() {
    const last = rows.length ? rows[rows.length - 1].epoch : 0;
    if (performance.now() - looked < SECONDS_BETWEEN_WORRIES * 1000 + 10 * last) return;
    looked = performance.now();
    worried((await get("warnings", { run: id })).warnings);
  }

  fill(main,
    el("section", {}, el("h2", {}, `${id} `), el("p", { role: "status" }, state, el("span", { class: "muted" }, ` · ${found.config.estimator || "run"} on ${found.config.data || "objects of Python"}`)),
      tiles, buttons, care),
    el("section", {}, el("h2", {}, "Curves"), el("div", { class: "row" },
      labelled("Smoothing", el("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: 0, oninput: (event) => { shown.smooth = Number(event.target.value); draw(); } })),
      check("Logarithmic axis", false, (on) => { shown.log = on; draw(); })),
      found.epochs > rows.length ? el("p", { class: "muted" }, `Of ${number(found.epochs)} epochs ${number(rows.length)} are drawn: those with the least and the greatest figures of each stretch.`) : null, skipped, plots),
    results(found, id), notes(found, id, about));
  draw();
  tell();
  worried(found.warnings);

  if (["finished", "stopped"].includes(status.state)) return undefined;
  const grown = paced(() => { draw(); tell(); attempt(worry); });
  const source = new EventSource(address("events", { run: id, read: found.read }));
  source.addEventListener("rows", (event) => {
    const { anew, rows: more, left_out: without } = JSON.parse(event.data);
    rows = anew ? more : rows.concat(more);
    left = anew ? 0 : left + without;
    grown();
  });
  source.addEventListener("status", (event) => { status = JSON.parse(event.data); tell(); });
  source.addEventListener("error", () => {
    state.className = "state stopped";
    state.textContent = "studio does not answer; what is below is as it was";
    buttons.querySelectorAll("button").forEach((node) => { node.disabled = true; });
  });
  source.addEventListener("open", tell);
  source.addEventListener("end", () => { source.close(); say("The training has ended."); setTimeout(() => dispatchEvent(new Event("hashchange")), 300); });
  return () => source.close();
}

function results(found, id) {
  const metrics = Object.entries(found.metrics).filter(([key, value]) => typeof value === "number" && !key.endsWith("_baseline"));
  const saved = (to) => (event) => attempt(async () => {
    event.target.disabled = true;
    say("Exporting, and checking the file against the network's own answers …");
    await download("export", { run: id, to }, "network").finally(() => { event.target.disabled = false; });
    say("Downloaded.");
  });
  if (found.status.state !== "finished") return null;
  return el("section", {}, el("h2", {}, "Result"),
    el("div", { class: "tiles" }, metrics.map(([key, value]) => el("div", { class: "tile" }, el("div", { class: "name" }, titled(key)),
      el("div", { class: "value" }, key === "seed" ? String(value) : number(value)), `${key}_baseline` in found.metrics ? el("div", { class: "beside" }, `naive answer ${number(found.metrics[`${key}_baseline`])}`) : null))),
    el("div", { class: "row" }, el("a", { href: linkTo("inside", id) }, "Look inside"),
      found.report ? el("a", { href: address("report", { run: id }), target: "_blank", rel: "noopener" }, "Report") : null,
      el("a", { href: address("model", { run: id }), download: "" }, "Model file"), button("Export as ONNX", saved("onnx")), button("Export as C", saved("c"))),
    el("h3", {}, "The command that repeats it"), el("pre", {}, String(found.config.command || "")));
}

function notes(found, id, about) {
  const box = el("textarea", { value: found.notes, rows: 3, readOnly: about.read_only });
  const save = () => attempt(async () => { found.notes = (await post("notes", { run: id, text: box.value, read: found.notes })).notes; say("Saved."); });
  return el("section", {}, el("h2", {}, "Notes"), el("p", {}, labelled("In notes.txt of the run", box)), button("Save the notes", save, { disabled: about.read_only }));
}
