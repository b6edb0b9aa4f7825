// Which page is shown: what stands behind # in the address.
import { attempt, get } from "./api.js";
import { el, fill } from "./dom.js";
import { runsPage } from "./runs.js";
import { comparePage } from "./compare.js";
import { runPage } from "./live.js";
import { insidePage } from "./inside.js";
import { beginPage } from "./begin.js";
import { labelPage } from "./label.js";

const PAGES = { runs: runsPage, compare: comparePage, run: runPage, inside: insidePage, begin: beginPage, label: labelPage };
const SHOWN = [["runs", "Runs"], ["begin", "Begin"], ["label", "Label"]];
let close = () => {};
let turn = 0;

function place() {
  const words = new URLSearchParams(location.hash.slice(1));
  const name = words.get("page") || (words.has("run") ? "run" : "runs");
  return [name in PAGES ? name : "runs", words];
}

async function show() {
  const mine = ++turn;
  const [name, words] = place();
  close();
  close = () => {};
  fill(document.getElementById("pages"), SHOWN.map(([key, title]) =>
    el("a", { href: `#page=${key}`, "aria-current": key === name ? "page" : null }, title)));
  const main = fill(document.getElementById("main"), el("section", {}, el("p", { class: "muted" }, "Reading …")));
  try {
    const ended = await PAGES[name](main, words, about);
    if (mine === turn) close = ended || close;
    else if (ended) ended();
  } catch (error) {
    if (mine === turn) fill(main, el("section", {}, el("h2", {}, "This cannot be shown"), el("p", { class: "care" }, error.message)));
  }
}

let about = { read_only: true };
await attempt(async () => {
  about = await get("about");
  const place = document.getElementById("place");
  place.textContent = `in ${about.folder.split(/[\\/]/).pop() || about.folder}${about.read_only ? " · read only" : ""}`;
  place.title = about.folder;
});
addEventListener("hashchange", async () => {
  await show();
  document.getElementById("main").focus({ preventScroll: true });
});
await show();
document.body.dataset.ready = "yes";
