// Recordings of any length, drawn as the least and greatest value of each point; stretches are marked, labelled and saved.
import { CHANGED, attempt, get, post } from "./api.js";
import { browser } from "./begin.js";
import { button, choice, el, fill, labelled, number, say } from "./dom.js";
import { canvas, colour, colourOf, ticks } from "./plot.js";

const LEFT = 58, RIGHT = 10, TALL = 260;
const same = (a) => (b) => a.start === b.start && a.end === b.end && a.label === b.label;
const SIGNALS = /\.(npy|csv|tsv|txt|wav|flac|ogg|edf|bdf|mat|hea)$/i;

// What is left of a stretch beside others.
function beside(one, others) {
  let left = [one];
  for (const { start, end } of others) {
    left = left.flatMap((part) => (end <= part.start || part.end <= start ? [part]
      : [{ ...part, end: start }, { ...part, start: end }].filter((rest) => rest.end > rest.start)));
  }
  return left;
}

// What two have made of the same stretches: what either took away is gone, and what they added is put beside ours.
export function merged(read, ours, theirs) {
  const kept = ours.filter((one) => !read.some(same(one)) || theirs.some(same(one)));
  const added = theirs.filter((one) => !read.some(same(one)) && !ours.some(same(one)));
  return [...kept, ...added.flatMap((one) => beside(one, kept))];
}

export async function labelPage(main, words, about) {
  if (!words.has("file")) {
    fill(main, el("section", {}, el("h2", {}, "Choose a recording to label"), el("p", { class: "muted" },
      "A sound file, an EDF, PhysioNet or .mat file, a .npy array, or a table with a row per time step."),
    browser((file) => { location.hash = `#page=label&file=${encodeURIComponent(file)}`; }, (one) => one.kind === "file" && SIGNALS.test(one.name))));
    return undefined;
  }
  const file = words.get("file");
  const [found, { runs }] = await Promise.all([get("recording", { file }), get("runs")]);
  const labelers = runs.filter((run) => run.task === "label" && run.state === "finished");
  return labeller(main, file, found, labelers, about);
}

function labeller(main, file, recording, labelers, about) {
  let stretches = recording.stretches, past = [], future = [], read = recording;
  let view = [0, recording.steps], picture = null, mark = null, chosen = -1, proposals = [], asked = null, wanted = false;
  let channel = recording.channels.length > 4 ? 0 : -1;
  const name = el("input", { value: stretches[0]?.label || "event", list: "labels", style: { width: "10em" } });
  const known = el("datalist", { id: "labels" }), table = el("tbody"), list = el("ul", { class: "list" }), state = el("p", { class: "muted", role: "status" });
  const labels = () => [...new Set([...stretches, ...proposals].map((one) => one.label))].sort();
  const shade = (label) => colourOf(labels().indexOf(label));
  const changed = () => JSON.stringify(stretches) !== JSON.stringify(read.stretches);

  const node = canvas(TALL, (context, width, height) => {
    const place = (step) => LEFT + ((step - view[0]) / (view[1] - view[0])) * (width - LEFT - RIGHT);
    for (const [i, one] of stretches.entries()) block(context, place, one, height - 22, 0.3, i === chosen);
    for (const one of proposals.slice(0, 200)) block(context, place, one, height - 22, 0.1, false, [4, 3]);
    if (mark) {
      context.fillStyle = colour("ink");
      context.globalAlpha = 0.15;
      context.fillRect(place(mark[0]), 0, Math.max(1, place(mark[1]) - place(mark[0])), height - 22);
      context.globalAlpha = 1;
    }
    if (picture) signal(context, place, width, height - 22);
    for (const one of [...stretches, ...proposals.slice(0, 200)]) if (one.end > view[0] && one.start < view[1]) title(context, place, one);
    context.fillStyle = colour("muted");
    context.textAlign = "center";
    context.textBaseline = "top";
    const rate = recording.rate || 1;
    for (const at of ticks(view[0] / rate, view[1] / rate, width / 110)) {
      const words = `${number(at, 7)}${recording.rate ? " s" : ""}`, half = context.measureText(words).width / 2;
      context.fillText(words, Math.max(half, Math.min(width - half, place(at * rate))), height - 17);
    }
  }, `Recording ${file}`);
  node.tabIndex = 0;
  node.classList.add("grab");
  node.setAttribute("aria-label", `Recording ${file}. Arrow keys move, plus and minus zoom, shift with arrows marks, enter labels what is marked.`);

  function block(context, place, one, height, alpha, bold, dash = []) {
    const right = node.clientWidth - RIGHT, from = Math.max(LEFT, place(one.start)), width = Math.max(1, Math.min(right, place(one.end)) - from);
    if (from > right || place(one.end) < LEFT) return;
    context.fillStyle = context.strokeStyle = colour(shade(one.label));
    context.globalAlpha = alpha;
    context.fillRect(from, 0, width, height);
    context.globalAlpha = 1;
    context.setLineDash(dash);
    context.lineWidth = bold ? 3 : 1;
    context.strokeRect(from + 0.5, 1, width, height - 2);
    context.setLineDash([]);
  }

  // Above the signal, on ground of its own.
  function title(context, place, one) {
    const from = Math.max(place(one.start), LEFT), wide = context.measureText(one.label).width;
    if (place(one.end) - from < wide + 8) return;
    context.fillStyle = colour("paper");
    context.fillRect(from + 2, 2, wide + 6, 16);
    context.fillStyle = colour("ink");
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(one.label, from + 5, 4);
  }

  function signal(context, place, width, height) {
    const shown = (picture.values || picture.low).map((_, i) => i).filter((i) => channel < 0 || i === channel);
    shown.forEach((c, row) => {
      const top = (row * height) / shown.length + 4, tall = height / shown.length - 8;
      const low = picture.values ? picture.values[c] : picture.low[c], high = picture.values ? low : picture.high[c];
      let least = Infinity, most = -Infinity;
      for (const y of low) if (y !== null && y < least) least = y;
      for (const y of high) if (y !== null && y > most) most = y;
      if (!(most > least)) { most += 0.5; least -= 0.5; }
      const up = (y) => top + tall - ((y - least) / (most - least)) * tall;
      const at = (i) => place(picture.start + (i / low.length) * (picture.stop - picture.start));
      context.strokeStyle = colour("blue");
      context.lineWidth = 1;
      context.save();
      context.beginPath();
      context.rect(LEFT, 0, width - LEFT - RIGHT, height);
      context.clip();
      context.beginPath();
      low.forEach((y, i) => {
        if (y === null) return;
        const x = at(i);
        if (picture.values) { if (i && low[i - 1] !== null) context.lineTo(x, up(y)); else context.moveTo(x, up(y)); }
        else { context.moveTo(x, up(y)); context.lineTo(x, Math.min(up(high[i]), up(y) - 1)); if (low[i + 1] !== undefined && low[i + 1] !== null) context.lineTo(at(i + 1), up(low[i + 1])); }
      });
      context.stroke();
      context.restore();
      context.fillStyle = colour("muted");
      context.textAlign = "right";
      context.textBaseline = "top";
      context.fillText(number(most, 3), LEFT - 6, top);
      context.textBaseline = "bottom";
      context.fillText(number(least, 3), LEFT - 6, top + tall);
      context.textBaseline = "middle";
      const named = recording.channels[c];
      context.fillText(named.length > 12 ? `${named.slice(0, 11)}…` : named, LEFT - 6, top + tall / 2, LEFT - 8);
    });
  }

  // One request at a time: while one is on its way only the newest view is kept.
  async function fetchView() {
    if (asked) { wanted = true; return; }
    asked = true;
    const pixels = Math.max(50, Math.min(2000, node.clientWidth - LEFT - RIGHT));
    const next = await attempt(() => get("view", { file, start: Math.floor(view[0]), stop: Math.ceil(view[1]), pixels }));
    asked = null;
    if (next) { picture = next; node.redraw(); node.dataset.drawn = String(Number(node.dataset.drawn || 0) + 1); }
    if (wanted) { wanted = false; fetchView(); }
  }

  function go(from, to) {
    const span = Math.max(20, Math.min(recording.steps, to - from));
    const start = Math.max(0, Math.min(recording.steps - span, from));
    view = [start, start + span];
    node.redraw();
    fetchView();
  }
  const zoom = (factor, centre = (view[0] + view[1]) / 2) => go(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
  const move = (share) => go(view[0] + share * (view[1] - view[0]), view[1] + share * (view[1] - view[0]));
  const stepAt = (event) => Math.round(view[0] + ((event.offsetX - LEFT) / (node.clientWidth - LEFT - RIGHT)) * (view[1] - view[0]));
  const inside = (step) => Math.max(0, Math.min(recording.steps, step));

  function edit(next) {
    past.push(stretches);
    future = [];
    stretches = next.slice().sort((a, b) => a.start - b.start);
    chosen = -1;
    show();
  }

  // A new stretch takes its place from those it covers: every step has one label.
  function add(start, end, label) {
    if (!label.trim() || end <= start) { say("Mark a stretch and give it a label."); return; }
    const rest = stretches.flatMap((one) => beside(one, [{ start, end }]));
    edit([...rest, { start, end, label: label.trim() }]);
  }
  const undo = () => { if (past.length) { future.push(stretches); stretches = past.pop(); show(); } };
  const redo = () => { if (future.length) { past.push(stretches); stretches = future.pop(); show(); } };
  const remove = () => { if (chosen >= 0) edit(stretches.filter((_, i) => i !== chosen)); };
  const label = () => { if (mark) { add(mark[0], mark[1], name.value); mark = null; node.redraw(); } else say("Mark a stretch first: drag over it, or shift with the arrow keys."); };
  const save = () => attempt(async () => {
    try {
      read = { ...(await post("labels", { file, stretches, read: read.read })), stretches };
      show();
      say("Saved in labels.csv beside the recording.");
    } catch (error) {
      if (error.status !== CHANGED) throw error;
      const there = await get("recording", { file });
      edit(merged(read.stretches, stretches, there.stretches));
      read = there;
      show();
      say("Stretches of this recording were saved from somewhere else. They stand beside yours now, and nothing is written: look, then save again.");
    }
  });

  let from = null;
  node.addEventListener("pointerdown", (event) => { from = event.button === 1 || event.altKey ? { pan: view, x: event.offsetX } : { step: inside(stepAt(event)) }; node.setPointerCapture(event.pointerId); });
  node.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (from.pan) {
      const by = ((from.x - event.offsetX) / (node.clientWidth - LEFT - RIGHT)) * (from.pan[1] - from.pan[0]);
      go(from.pan[0] + by, from.pan[1] + by);
    } else {
      const now = inside(stepAt(event));
      mark = [Math.min(from.step, now), Math.max(from.step, now)];
      node.redraw();
    }
  });
  node.addEventListener("pointerup", (event) => {
    if (from && !from.pan && (!mark || mark[1] - mark[0] < (view[1] - view[0]) / 300)) {
      mark = null;
      chosen = stretches.findIndex((one) => one.start <= from.step && from.step < one.end);
      show();
    }
    from = null;
  });
  node.addEventListener("wheel", (event) => { event.preventDefault(); if (event.shiftKey) move(event.deltaY > 0 ? 0.1 : -0.1); else zoom(event.deltaY > 0 ? 1.25 : 0.8, inside(stepAt(event))); }, { passive: false });
  node.addEventListener("keydown", (event) => {
    const by = Math.max(1, Math.round((view[1] - view[0]) / 100)), way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && event.shiftKey) {
      const middle = Math.round((view[0] + view[1]) / 2);
      mark = mark ? (event.altKey ? [inside(Math.min(mark[0] + way * by, mark[1] - 1)), mark[1]] : [mark[0], inside(Math.max(mark[1] + way * by, mark[0] + 1))]) : [middle, inside(middle + by)];
      node.redraw();
    } else if (way) move(0.1 * way);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "Home") go(0, recording.steps);
    else if (event.key === "Enter") label();
    else if (event.key === "Delete" || event.key === "Backspace") remove();
    else if (event.key === "Escape") { mark = null; chosen = -1; show(); }
    else if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
    else if ((event.ctrlKey || event.metaKey) && event.key === "y") redo();
    else if ((event.ctrlKey || event.metaKey) && event.key === "s") save();
    else return;
    event.preventDefault();
  });

  const at = (step) => (recording.rate ? `${number(step / recording.rate, 7)} s` : number(step));
  const undoButton = button("Undo", undo), redoButton = button("Redo", redo), removeButton = button("Remove the chosen", remove);
  const saveButton = button("Save", save, { class: "main" });

  function show() {
    node.redraw();
    fill(known, labels().map((one) => el("option", { value: one })));
    undoButton.disabled = !past.length;
    redoButton.disabled = !future.length;
    removeButton.disabled = chosen < 0;
    saveButton.disabled = about.read_only || !changed();
    state.textContent = `${number(stretches.length)} stretch${stretches.length === 1 ? "" : "es"}${changed() ? ", not saved yet" : ""}`;
    fill(table, stretches.slice(0, 500).map((one, i) => el("tr", { class: i === chosen ? "chosen" : null }, el("th", { scope: "row" }, button(one.label, () => { chosen = i; const wide = one.end - one.start; go(one.start - 2 * wide, one.end + 2 * wide); show(); }, { "aria-label": `Show ${one.label} at ${at(one.start)}` })),
      el("td", { class: "n" }, at(one.start)), el("td", { class: "n" }, at(one.end)))));
    fill(list, proposals.slice(0, 100).map((one, i) => el("li", { class: "row" }, button(`${one.label}, ${(100 * one.certainty).toFixed(0)} % sure, at ${at(one.start)}`, () => { const wide = one.end - one.start; go(one.start - wide, one.end + wide); }),
      button("Take", () => { add(one.start, one.end, one.label); proposals.splice(i, 1); show(); }, { "aria-label": `Take ${one.label} at ${at(one.start)}` }))));
  }

  let labelerRun = labelers[0]?.id;
  const propose = () => attempt(async () => {
    proposals = (await post("propose", { file, run: labelerRun, start: Math.floor(view[0]), stop: Math.ceil(view[1]) })).proposals;
    show();
    say(`${proposals.length} stretches are proposed, the least certain first.`);
  });

  fill(main, el("section", {}, el("h2", {}, file), el("p", { class: "muted" }, `${number(recording.steps)} samples${recording.rate ? ` at ${number(recording.rate)} Hz` : ""}, ${recording.channels.length} channel${recording.channels.length === 1 ? "" : "s"}. `,
    "Drag marks, ", el("kbd", {}, "Alt"), " and drag pans, the wheel zooms; ", el("kbd", {}, "←"), " ", el("kbd", {}, "→"), " ", el("kbd", {}, "+"), " ", el("kbd", {}, "−"), " move and zoom, with ", el("kbd", {}, "Shift"), " they mark, ", el("kbd", {}, "Enter"), " labels."),
  el("div", { class: "row" }, button("Whole", () => go(0, recording.steps)), button("Zoom in", () => zoom(0.5)), button("Zoom out", () => zoom(2)), button("← Back", () => move(-0.5)), button("Forth →", () => move(0.5)),
    recording.channels.length > 1 ? choice("Channel", [["-1", "all"], ...recording.channels.map((one, i) => [String(i), one])], String(channel), (value) => { channel = Number(value); node.redraw(); }) : null),
  node,
  el("div", { class: "row" }, labelled("Label", name), known, button("Label what is marked", label), undoButton, redoButton, removeButton, saveButton, state)),
  el("div", { class: "plots" },
    el("section", {}, el("h2", {}, "Stretches"), el("div", { class: "hold tall", tabindex: "0", role: "region", "aria-label": "Stretches" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Label"), el("th", { scope: "col", class: "n" }, "From"), el("th", { scope: "col", class: "n" }, "To"))), table))),
    el("section", {}, el("h2", {}, "Proposals"), labelers.length
      ? [el("div", { class: "row" }, choice("Trained labeler", labelers.map((run) => [run.id, run.id]), labelerRun, (value) => { labelerRun = value; }), button("Propose for what is shown", propose)), el("div", { class: "tall", tabindex: "0", role: "region", "aria-label": "Proposals" }, list)]
      : el("p", { class: "muted" }, "A run that has learned a label per time step proposes stretches here, the least certain first. Save some labels, then ", el("a", { href: "#page=begin" }, "train on the folder"), "."))));
  show();
  fetchView();
  const leave = (event) => { if (changed()) event.preventDefault(); };
  const resized = () => fetchView();
  addEventListener("beforeunload", leave);
  addEventListener("resize", resized);
  return () => { removeEventListener("beforeunload", leave); removeEventListener("resize", resized); };
}
