// Begin a training: choose data below the folder, see what is in them, and train; the same as command and as Python.
import { attempt, get, post } from "./api.js";
import { button, el, fill, labelled, say } from "./dom.js";
import { linkTo } from "./runs.js";

export function browser(choose, wanted = () => true) {
  const list = el("ul", { class: "list" }), place = el("p", { class: "muted" });
  async function open(folder) {
    const found = await attempt(() => get("listing", { folder }));
    if (!found) return;
    place.textContent = found.folder === "." ? "In the folder studio was started on:" : `In ${found.folder}:`;
    const up = found.folder.includes("/") ? found.folder.slice(0, found.folder.lastIndexOf("/")) : ".";
    fill(list, found.folder === "." ? null : el("li", {}, button("↑ up", () => open(up))),
      found.entries.filter((one) => one.kind !== "run" && (one.kind === "folder" || wanted(one))).map((one) => el("li", {}, one.kind === "folder"
        ? el("div", { class: "row" }, button(`${one.name}/`, () => open(one.path)), wanted(one) ? button("Choose the folder", () => choose(one.path), { "aria-label": `Choose the folder ${one.name}` }) : null)
        : button(one.name, () => choose(one.path)))),
      found.more ? el("li", { class: "muted" }, `${found.more} more are not shown.`) : null);
  }
  open(".");
  return el("div", {}, place, el("div", { class: "tall", tabindex: "0", role: "region", "aria-label": "Files" }, list));
}

export async function beginPage(main, words, about) {
  const looked = el("div"), begun = el("div");
  let timer = 0;

  function chosen(file) {
    const stem = file.split("/").pop().replace(/\.[^.]*$/, "").replace(/[^\w-]+/g, "-") || "first";
    const out = el("input", { value: `runs/${stem}`, oninput: () => told() });
    const lines = el("textarea", { rows: 5, spellcheck: false, placeholder: "max_epochs = 20\nhidden_size = 64\nlabel = gesture", oninput: () => told() });
    const command = el("pre", { "aria-label": "Command" }), python = el("pre", { "aria-label": "Python" }), seen = el("div");
    const train = button("Train", () => attempt(async () => {
      await post("train", { file, out: out.value, options: options(lines.value) });
      say("The training has begun; it goes on when this page is closed.");
      watch(out.value, begun);
    }), { class: "main", disabled: about.read_only });
    let waiting = 0;
    function told() {
      clearTimeout(waiting);
      waiting = setTimeout(() => attempt(async () => {
        const found = await post("words", { file, out: out.value, options: options(lines.value) });
        command.textContent = found.command;
        python.textContent = found.python;
      }), 250);
    }
    const look = () => attempt(async () => {
      fill(seen, el("p", { class: "muted", role: "status" }, "Looking …"));
      try {
        const found = await post("look", { file, options: options(lines.value) });
        if (!lines.value) lines.value = Object.entries(found.settings).map(([key, value]) => `${key} = ${value}`).join("\n");
        fill(seen, found.problems.map((one) => el("p", { class: "care" }, one)), el("pre", {}, found.lines.join("\n")));
        told();
      } catch (error) {
        fill(seen, el("p", { class: "care" }, error.message));
      }
    });
    fill(looked, el("h2", {}, file), seen,
      el("div", { class: "row" }, labelled("Run folder", out)),
      el("p", {}, labelled("Options, one a line: of reading (id, label, group, target, time …) and of the network", lines)),
      el("div", { class: "row" }, button("Look again", look), train),
      el("h3", {}, "The same on the command line"), command, el("h3", {}, "and in Python"), python);
    fill(begun);
    look();
    told();
  }

  function watch(out, place) {
    clearInterval(timer);
    timer = setInterval(async () => {
      const found = await get("begun", { out }).catch(() => null);
      if (!found) return;
      if (found.run && found.running) { location.hash = linkTo("run", out); return; }
      fill(place, el("h2", {}, out), el("p", { role: "status" }, found.running ? "The data are being read …" : found.code === 0 ? "It has ended. " : "It could not be done:"),
        found.code === 0 ? el("a", { href: linkTo("run", out) }, "See the run") : null, el("pre", {}, found.said.join("\n")));
      if (!found.running) clearInterval(timer);
    }, 700);
  }

  fill(main, el("div", { class: "two" }, el("section", {}, el("h2", {}, "Choose data"), browser(chosen)),
    el("section", {}, fill(looked, el("p", { class: "muted" }, "Choose a file, or a folder of recordings, to see what is in it.")), begun)));
  return () => clearInterval(timer);
}

function options(text) {
  const out = {};
  for (const line of text.split("\n")) {
    const [name, ...rest] = line.split("=");
    if (!rest.length || !name.trim()) continue;
    const value = rest.join("=").trim();
    out[name.trim()] = value === "true" || value === "True" ? true : value === "false" || value === "False" ? false
      : value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return out;
}
