// Chosen runs side by side: curves, figures with intervals, settings that differ, and the test of their difference.
import { get } from "./api.js";
import { check, choice, el, fill, number, titled } from "./dom.js";
import { colourOf, legend, plot } from "./plot.js";
import { linkTo } from "./runs.js";

export async function comparePage(main, words) {
  const names = words.getAll("run").slice(0, 8);
  if (!names.length) { location.hash = ""; return; }
  const found = await get("compare", { run: names });
  const shown = { figure: "valid_loss", log: false };
  const figures = [...new Set(Object.values(found.curves).flat().flatMap((row) => Object.keys(row)))]
    .filter((key) => key !== "epoch" && key !== "time");
  if (!figures.includes(shown.figure)) shown.figure = figures.includes("train_loss") ? "train_loss" : figures[0];
  const series = () => names.map((name, place) => ({
    name, colour: colourOf(place), dashed: place > 3, xs: found.curves[name].map((row) => row.epoch),
    ys: found.curves[name].map((row) => (typeof row[shown.figure] === "number" ? row[shown.figure] : null)),
  }));
  const curves = plot({ height: 280, label: "Curves of the chosen runs", view: () => ({ series: series(), log: shown.log }) });
  const differ = [...new Set(found.runs.flatMap((row) => Object.keys(row.params)))]
    .filter((key) => new Set(found.runs.map((row) => row.params[key])).size > 1);
  const test = el("div", {}, el("p", { class: "muted", role: "status" }, "Judging the runs on their test part …"));
  fill(main,
    found.alike ? el("p", { class: "care" }, found.alike) : null,
    el("section", {}, el("h2", {}, "Curves"),
      el("div", { class: "row" },
        choice("Figure", figures.map((key) => [key, key.replaceAll("_", " ")]), shown.figure, (value) => { shown.figure = value; curves.redraw(); }),
        check("Logarithmic axis", false, (on) => { shown.log = on; curves.redraw(); })),
      el("figure", {}, curves, legend(series()))),
    el("section", {}, el("h2", {}, "Figures"), test),
    el("section", {}, el("h2", {}, "Settings that differ"), differ.length
      ? el("div", { class: "hold", tabindex: "0", role: "region", "aria-label": "Settings that differ" }, el("table", {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Setting"), names.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, differ.map((key) => el("tr", {}, el("th", { scope: "row" }, key.replaceAll("_", " ")), found.runs.map((row) => el("td", {}, row.params[key] ?? "–")))))))
      : el("p", {}, "None; the runs differ in their seed or data.")),
    el("section", {}, el("h2", {}, "One sequence, seen by each"), el("p", {}, el("a", { href: linkTo("inside", names) }, "Look inside these runs, one below the other"), ".")));
  judge(test, names);
}

async function judge(place, names) {
  let found;
  try {
    found = await get("judge", { run: names });
  } catch (error) {
    fill(place, el("p", { class: "care" }, error.message));
    return;
  }
  const keys = [...new Set(names.flatMap((name) => Object.keys(found.figures[name] || {})))].filter((key) => !key.endsWith("_baseline") && key !== "n_test_steps");
  const cell = (name, key) => {
    const value = found.figures[name]?.[key], interval = found.intervals[name]?.[key], naive = found.figures[name]?.[`${key}_baseline`];
    return el("td", { class: "n" }, number(value), interval ? el("div", { class: "muted" }, `${number(interval[0], 3)} to ${number(interval[1], 3)}`) : null,
      naive === undefined ? null : el("div", { class: "muted" }, `naive ${number(naive, 3)}`));
  };
  fill(place,
    found.words ? el("p", {}, found.words) : null,
    found.why_not ? el("p", { class: "care" }, found.why_not) : null,
    el("div", { class: "hold", tabindex: "0", role: "region", "aria-label": "Figures" }, el("table", {}, el("caption", {}, el("span", {}, "Below a figure its 95 % interval where it has one, and the naive answer.")),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Figure"), names.map((name) => el("th", { scope: "col", class: "n" }, name)))),
      el("tbody", {}, keys.map((key) => el("tr", {}, el("th", { scope: "row" }, titled(key)), names.map((name) => cell(name, key))))))));
}
