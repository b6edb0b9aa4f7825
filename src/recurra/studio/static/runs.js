// The table of all runs: sorted, filtered, with notes; chosen ones go side by side.
import { attempt, get, post } from "./api.js";
import { button, el, fill, labelled, number, seconds, say, titled } from "./dom.js";

const KNOWN = [
  ["id", "Run", (r) => r.id], ["state", "State", (r) => r.state], ["task", "Task", (r) => r.task], ["data", "Data", (r) => r.data],
  ["value", "Figure", (r) => r.value, true], ["naive", "Naive answer", (r) => r.naive, true], ["epochs", "Epochs", (r) => r.epochs, true],
  ["seconds", "Time", (r) => r.seconds, true], ["seed", "Seed", (r) => r.seed, true], ["started", "Begun (UTC)", (r) => r.started],
];
const MOST_SETTINGS = 8;
const AT_ONCE = 200;
const LOOK_AGAIN = 3000;

const chosen = new Set();
const view = { sort: "started", down: true, filter: "" };

export const linkTo = (page, run) => `#page=${page}&${[].concat(run).map((one) => `run=${encodeURIComponent(one)}`).join("&")}`;

export async function runsPage(main, words, about) {
  let found = await get("runs");
  const body = el("tbody"), head = el("tr"), count = el("p", { class: "muted", role: "status" });
  const compare = button("Side by side", () => { location.hash = linkTo("compare", [...chosen]); }, { class: "main" });
  const filter = el("input", { type: "search", value: view.filter, placeholder: "gru, finished, seed …", oninput: (event) => { view.filter = event.target.value; rows(); } });
  const columns = () => [...KNOWN, ...found.differ.slice(0, MOST_SETTINGS).map((name) => [name, name.replaceAll("_", " "), (r) => numeric(r.params[name])])];

  function heads() {
    fill(head, el("th", { scope: "col" }, "Side by side"), columns().map(([key, title, , n]) => {
      const sorted = view.sort === key;
      return el("th", { scope: "col", class: n ? "n" : null, "aria-sort": sorted ? (view.down ? "descending" : "ascending") : null },
        button(title + (sorted ? (view.down ? " ↓" : " ↑") : ""), () => {
          view.down = sorted ? !view.down : Boolean(n);
          view.sort = key;
          heads();
          rows();
          [...head.querySelectorAll("button")].find((one) => one.textContent.startsWith(title))?.focus();
        }));
    }), el("th", { scope: "col" }, "Notes"));
  }

  function rows() {
    const wanted = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const value = columns().find(([key]) => key === view.sort)?.[2] || ((r) => r.started);
    const shown = found.runs.filter((r) => {
      const text = [r.id, r.state, r.task, r.data, r.notes, `seed${r.seed}`, ...Object.entries(r.params).map((pair) => pair.join("="))].join(" ").toLowerCase();
      return wanted.every((word) => text.includes(word));
    }).sort((a, b) => (view.down ? -1 : 1) * order(value(a), value(b)));
    fill(body, shown.slice(0, AT_ONCE).map(row));
    const more = shown.length > AT_ONCE ? `; the first ${AT_ONCE} are shown, the filter finds others` : "";
    count.textContent = `${number(shown.length)} of ${number(found.runs.length)} runs${more}`;
    changed();
  }

  function stateOf(r) {
    const said = r.damaged ? "damaged" : r.state;
    return el("span", { class: `state ${said}` }, said);
  }

  function row(r) {
    const box = el("input", { type: "checkbox", "aria-label": `Choose ${r.id}`, checked: chosen.has(r.id), onchange: (event) => {
      if (event.target.checked) chosen.add(r.id); else chosen.delete(r.id);
      event.target.closest("tr").classList.toggle("chosen", event.target.checked);
      changed();
    } });
    const cells = columns().slice(1).map(([key, , value, n]) => {
      if (key === "state") return el("td", {}, stateOf(r));
      if (key === "value") return el("td", { class: "n" }, r.main ? `${titled(r.main)} ${number(r.value)}` : "–");
      if (key === "seconds") return el("td", { class: "n" }, seconds(r.seconds));
      if (key === "started") return el("td", { class: "when" }, r.started.replace("T", " ").replace("Z", ""));
      if (key === "seed") return el("td", { class: "n" }, r.seed === null ? "–" : String(r.seed));
      return el("td", { class: n ? "n" : null }, number(value(r)));
    });
    return el("tr", { class: chosen.has(r.id) ? "chosen" : null }, el("td", {}, box),
      el("th", { scope: "row" }, el("a", { href: linkTo("run", r.id) }, r.id)), cells, el("td", {}, note(r)));
  }

  function note(r) {
    const shown = () => r.notes.slice(0, 60) + (r.notes.length > 60 ? "…" : "");
    if (about.read_only) return shown();
    const place = el("div");
    const open = () => fill(place, labelled("Notes",
      el("textarea", { value: r.notes, rows: 2, onchange: (event) => save(event.target.value), onblur: (event) => event.target.value === r.notes && setTimeout(closed, 300) })));
    const closed = () => fill(place, shown(), " ", edit);
    const save = (text) => attempt(async () => { r.notes = (await post("notes", { run: r.id, text, read: r.notes })).notes; closed(); say("Saved."); });
    const edit = button(r.notes ? "Change" : "Add", () => { open(); place.querySelector("textarea").focus(); }, { "aria-label": `Notes of ${r.id}` });
    return fill(place, shown(), " ", edit);
  }

  function changed() {
    compare.disabled = chosen.size < 2;
    compare.textContent = chosen.size > 1 ? `Side by side (${chosen.size})` : "Side by side";
  }

  if (!found.runs.length) {
    fill(main, el("section", {}, el("h2", {}, "No run is here yet"), el("p", {}, "Runs appear here as soon as their training begins. ",
      el("a", { href: "#page=begin" }, "Begin one"), ", or on the command line:"), el("pre", {}, "recurra train japanese-vowels -o runs/demo")));
  } else {
    fill(main, el("section", {}, el("h2", {}, "Runs"),
      el("div", { class: "row" }, labelled("Filter", filter), compare, count),
      el("div", { class: "hold", tabindex: "0", role: "region", "aria-label": "Table of runs" }, el("table", {}, el("caption", {},
        el("span", {}, "The figure is that of the test part, beside what the naive answer reaches on it.")), el("thead", {}, head), body))));
    heads();
    rows();
  }
  const timer = setInterval(async () => {
    if (document.hidden || main.querySelector("textarea")) return;
    const next = await get("runs").catch(() => null);
    if (!next) { count.textContent = "studio does not answer; the table is as it was"; return; }
    if (JSON.stringify(next) === JSON.stringify(found)) return;
    const fresh = !found.runs.length;
    found = next;
    if (fresh) { clearInterval(timer); dispatchEvent(new Event("hashchange")); return; }
    const held = body.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    heads();
    rows();
    if (held) body.querySelector(`[aria-label="${CSS.escape(held)}"]`)?.focus();
  }, LOOK_AGAIN);
  return () => clearInterval(timer);
}

function numeric(text) {
  return text !== undefined && text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function order(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined || a === "") return -1;
  if (b === null || b === undefined || b === "") return 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
