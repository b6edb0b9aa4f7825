"""The bare call, no parameters, over data sets of every task; the strongest cheap method of the field beside it.

Peers live in an environment of their own (peers.txt), which this script makes in the user's cache the first time; they
are called as a process and get the same split. Scores are means over seeds and folds. Written worst first to
benchmarks/results/defaults.json and .txt; a run of one task or data set (--task, --only) replaces the rows it measured.
"""

import argparse
import hashlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import default_cases
import measure
import numpy as np
from default_cases import Case
from sklearn.metrics import accuracy_score, average_precision_score, mean_absolute_error

import recurra
from recurra.evaluation.metrics.texts import error_rate

ESTIMATORS = {
    "classify": recurra.SequenceClassifier,
    "numbers": recurra.SequenceRegressor,
    "forecast": recurra.Forecaster,
    "text": recurra.TextClassifier,
    "words": recurra.TextClassifier,
    "label": recurra.SequenceLabeler,
    "anomaly": recurra.AnomalyDetector,
    "video": recurra.VideoClassifier,
    "translate": recurra.Translator,
    "write": recurra.TextGenerator,
}
PEERS = {
    "classify": ("MiniRocket",),
    "numbers": ("MiniRocket, ridge",),
    "forecast": ("AutoETS", "AutoTheta"),
    "text": ("TF-IDF",),
    "words": ("character TF-IDF",),
    "label": ("boosting on windows",),
    "anomaly": ("isolation forest",),
    "video": ("logistic regression on the mean frame",),
    "translate": ("nearest source",),
    "write": ("runs of characters",),
}
MEASURES = {
    "classify": "accuracy",
    "numbers": "mean absolute error over that of the mean",
    "forecast": "mean absolute error over that of seasonal naive",
    "text": "accuracy",
    "words": "accuracy",
    "label": "accuracy of steps",
    "anomaly": "average precision",
    "video": "accuracy",
    "translate": "character error rate",
    "write": "bits per character",
}
ERRORS = ("numbers", "forecast", "translate", "write")  # the lower, the better
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "recurra", "peers")
UNITS = {"s": 1, "m": 60, "h": 3600}


def environment(folder: Path) -> Path:
    """Return the interpreter that has the peers; makes its environment where it is missing or of another list."""
    listed = Path(__file__).with_name("peers.txt")
    mark, wanted = folder / "peers.sha256", hashlib.sha256(listed.read_bytes()).hexdigest()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not mark.exists() or mark.read_text() != wanted:
        print(f"Making the environment of the peers in {folder} ...", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        # What recurra was built with is no business of the peers.
        clean = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", listed],
            check=True,
            env=clean,
        )
        mark.write_text(wanted)
    return python


def packages(python: Path) -> Path:
    """Return the folder of the packages of an interpreter."""
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())


def packed(name: str, sequences: Any) -> dict[str, np.ndarray]:
    """Return sequences as flat rows and lengths, so that they travel without pickle."""
    rows = [np.asarray(s) for s in sequences]
    return {f"{name}_flat": np.concatenate(rows), f"{name}_lengths": np.array([len(s) for s in rows])}


def request(case: Case, seed: int) -> dict[str, Any]:
    """Return what a peer is told."""
    if case.task == "forecast":
        flat = [history for origin in case.train for history in origin]
        more = {"season": case.more["season"], "horizon": case.more["horizon"]}
        return {"seed": seed, **more, **packed("histories", flat)}
    if case.task in ("text", "words", "translate", "write"):
        texts = {"train": case.train, "test": case.test, "y": [] if case.y is None else case.y}
        return {"seed": seed, **{name: np.asarray(v, dtype=str) for name, v in texts.items()}}
    if case.task == "video":  # what the image network sees is the same for both
        seen = recurra.VideoClassifier().frame_features
        parts = {**packed("train", seen(case.train)), **packed("test", seen(case.test))}
        return {"seed": seed, "y": np.asarray(case.y, dtype=str), **parts}
    out = {"seed": seed, **packed("train", case.train), **packed("test", case.test)}
    if case.task == "label":
        out.update(packed("y", [np.asarray(labels, dtype=str) for labels in case.y]))
    elif case.y is not None:
        out["y"] = np.asarray(case.y, dtype=np.float64 if case.task == "numbers" else str)
    return out


def answered(python: Path, method: str, threads: int, **words: Any) -> tuple[Any, float]:
    """Return the answer of a method of `peers.py` to a request, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        question, reply = Path(folder, "request.npz"), Path(folder, "reply.npz")
        np.savez(question, **words)
        limits = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
        worker = [python, "-W", "ignore", Path(__file__).with_name("peers.py"), method, question, reply]
        subprocess.run(worker, check=True, env=os.environ | limits)
        with np.load(reply) as found:
            return found["answer"], float(found["seconds"])


def ours(case: Case, seed: int, words: dict[str, Any]) -> tuple[Any, float]:
    """Return the answer of the bare call and its seconds of training."""
    made = ESTIMATORS[case.task]
    seconds, answers = 0.0, []
    if case.task == "forecast":
        horizon = case.more["horizon"]
        for histories in case.train:
            start = time.perf_counter()
            model = made(horizon=horizon, random_state=seed, verbose=0, **words)
            model.fit(default_cases.as_dataset(histories, case.more["freq"]))
            seconds += time.perf_counter() - start
            found = model.predict()
            answers += [np.reshape(one, -1) for one in ([found] if len(histories) == 1 else found)]
        return np.array(answers), seconds / len(case.train)
    start = time.perf_counter()
    model = made(random_state=seed, verbose=0, **words).fit(case.train, case.y)
    seconds = time.perf_counter() - start
    if case.task == "anomaly":
        return -np.concatenate(list(model.score_samples(case.test))), seconds
    if case.task == "write":
        return np.array([-model.score(case.test)]), seconds
    found = model.predict(case.test)
    return (np.concatenate(list(found)) if case.task == "label" else np.asarray(found)), seconds


def naive_forecasts(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return what the last season and the last value forecast."""
    horizon, season = case.more["horizon"], case.more["season"]
    histories = [history for origin in case.train for history in origin]
    seasonal = [np.resize(h[-season:] if len(h) >= season else h[-1:], horizon) for h in histories]
    return np.array(seasonal), np.array([np.repeat(h[-1], horizon) for h in histories])


def relative_errors(case: Case, answer: np.ndarray) -> list[float]:
    """Return for each series, over all origins, the mean absolute error over that of seasonal naive.

    No error counts as less than a hundredth of the usual step from one value to the next: a series that has come to rest
    would divide by nothing.
    """
    truth = np.array([future for origin in case.truth for future in origin])
    places, (seasonal, _) = np.arange(len(truth)) % len(case.truth[0]), naive_forecasts(case)
    out = []
    for place, history in enumerate(case.train[0]):
        own, least = places == place, 0.01 * np.abs(np.diff(history)).mean()
        errors = [max(mean_absolute_error(truth[own], found[own]), least) for found in (answer, seasonal)]
        out.append(errors[0] / errors[1])
    return out


def score(case: Case, answer: np.ndarray) -> float:
    """Return the figure of an answer in the measure of its task."""
    if case.task == "forecast":
        return measure.geometric_mean(relative_errors(case, answer))
    if case.task == "anomaly":
        return float(average_precision_score(case.truth, answer))
    if case.task == "write":
        return float(np.mean(answer))
    if case.task == "translate":
        return error_rate([str(one) for one in case.truth], [str(one) for one in answer])
    if case.task == "numbers":
        truth = np.asarray(case.truth, dtype=np.float64).ravel()
        mean = np.full(len(truth), np.mean(np.asarray(case.y, dtype=np.float64)))
        return float(mean_absolute_error(truth, np.ravel(answer)) / mean_absolute_error(truth, mean))
    truth = np.concatenate(list(case.truth)) if case.task == "label" else case.truth
    return float(accuracy_score(np.asarray(truth, dtype=str), np.asarray(answer, dtype=str)))


def gap(row: dict[str, Any]) -> float:
    """Return by how much the best peer is ahead: difference of scores, or logarithm of the ratio of errors."""
    theirs = [peer["score"] for peer in row["peers"].values()]
    return float(np.log(row["ours"] / min(theirs))) if row["task"] in ERRORS else max(theirs) - row["ours"]


def measured(
    task: str, name: str, given: list[Case], chosen: argparse.Namespace, words: dict
) -> dict[str, Any]:
    """Return the row of one data set: ours over seeds and folds, the peers beside it."""
    each, seconds = [], []
    for seed in chosen.seeds:
        found = [ours(case, seed, words) for case in given]
        each.append(
            float(np.mean([score(case, answer) for case, (answer, _) in zip(given, found, strict=True)]))
        )
        seconds.append(float(np.mean([taken for _, taken in found])))
    row: dict[str, Any] = {"task": task, "data": name, "measure": MEASURES[task], "seeds": chosen.seeds}
    row |= {
        "ours": float(np.mean(each)),
        "ours_each_seed": each,
        "seconds": float(np.mean(seconds)),
        "seconds_each_seed": seconds,
        "peers": {},
    }
    for method in PEERS[task]:
        found = [answered(chosen.python, method, chosen.threads, **request(case, 0)) for case in given]
        figure = np.mean([score(case, answer) for case, (answer, _) in zip(given, found, strict=True)])
        row["peers"][method] = {"score": float(figure), "seconds": float(np.mean([s for _, s in found]))}
    if task == "forecast":
        last = [score(case, naive_forecasts(case)[1]) for case in given]
        row["naive"] = {"seasonal naive": 1.0, "last value": float(np.mean(last))}
        row["over_better_naive"] = row["ours"] / min(row["naive"].values())
    row["gap"] = gap(row)
    row["measured"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    row["load"] = [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None
    return row


def merged(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return one row of two of the same data set: the seeds of both, of a seed that both have the second's figure."""
    each: dict[int, tuple[float, float]] = {}
    for row in (first, other):
        seconds = row.get("seconds_each_seed") or [row["seconds"]] * len(row["seeds"])
        each |= dict(zip(row["seeds"], zip(row["ours_each_seed"], seconds, strict=True), strict=True))
    seeds = sorted(each)
    scores, seconds = ([each[seed][k] for seed in seeds] for k in (0, 1))
    row = {**other, "seeds": seeds, "ours_each_seed": scores, "seconds_each_seed": seconds}
    row |= {"ours": float(np.mean(scores)), "seconds": float(np.mean(seconds))}
    if "naive" in row:
        row["over_better_naive"] = row["ours"] / min(row["naive"].values())
    return row | {"gap": gap(row)}


def stored_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a stored run; none where there is none."""
    return json.loads(file.read_text())["rows"] if file.exists() else []


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Give the lines of the table, task by task, worst first, each with its summary."""
    for task in [t for t in default_cases.TASKS if any(row["task"] == t for row in rows)]:
        own = sorted((row for row in rows if row["task"] == task), key=lambda row: -row["gap"])
        names = list(dict.fromkeys(name for row in own for name in row["peers"]))
        yield f"{task}: {MEASURES[task]}"
        head = "".join(f"{name:>21}{'s':>7}" for name in names)
        yield f"  {'data set':<28}{'ours':>8}{'s':>7}{head}" + (
            "  over better naive" if task == "forecast" else ""
        )
        for row in own:
            line = f"  {row['data']:<28}{row['ours']:>8.3f}{row['seconds']:>7.1f}"
            line += "".join(
                f"{row['peers'][n]['score']:>21.3f}{row['peers'][n]['seconds']:>7.1f}" for n in names
            )
            yield line + (f"{row['over_better_naive']:>19.2f}" if task == "forecast" else "")
        mean = measure.geometric_mean if task in ERRORS else np.mean
        figures = [float(mean([row["ours"] for row in own]))]
        figures += [float(mean([row["peers"][name]["score"] for row in own])) for name in names]
        won = sum(row["gap"] < 0 for row in own)
        said = ", ".join(f"{name} {value:.3f}" for name, value in zip(["ours", *names], figures, strict=True))
        kind = "geometric mean" if task in ERRORS else "mean"
        yield f"  {kind}: {said}; ahead of the best peer on {won} of {len(own)}, largest gap {own[0]['gap']:+.3f}"
        yield ""


def seconds_of(text: str) -> float:
    """Return a budget such as 90, 90s, 5m or 1h in seconds."""
    unit = UNITS.get(text[-1:])
    return float(text[:-1]) * unit if unit else float(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--task", choices=default_cases.TASKS, action="append", help="one task; may be repeated"
    )
    parser.add_argument("--only", action="append", help="one data set by its name; may be repeated")
    parser.add_argument("--seeds", type=lambda s: [int(v) for v in s.split(",")], default=[0, 1, 2])
    parser.add_argument("--budget", type=seconds_of, help="given on as budget_s: 90, 90s, 5m")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=Path, default=CACHE, help=f"folder of their environment ({CACHE})")
    parser.add_argument("--out", type=Path, default=measure.RESULTS)
    parser.add_argument(
        "--merge",
        type=Path,
        action="append",
        help="measure nothing: put the rows stored in this --out of another run into --out; may be repeated",
    )
    chosen = parser.parse_args()
    chosen.task = chosen.task or list(default_cases.TASKS)
    return chosen


def main() -> None:
    """Measure, print and store the table."""
    chosen = arguments()
    measure.torch.set_num_threads(chosen.threads)
    stem = "defaults" if chosen.budget is None else "defaults_budget"
    stored = chosen.out / f"{stem}.json"
    rows = {(row["task"], row["data"]): row for row in stored_rows(stored)}
    if chosen.merge:
        for row in [row for folder in chosen.merge for row in stored_rows(folder / f"{stem}.json")]:
            key = row["task"], row["data"]
            rows[key] = merged(rows[key], row) if key in rows else row
        finish(stem, chosen, rows)
        return
    chosen.python = environment(chosen.peers)
    data = packages(chosen.python)
    for task in chosen.task:
        words = {} if chosen.budget is None else {"budget_s": chosen.budget}
        if words and "budget_s" not in inspect.signature(ESTIMATORS[task]).parameters:
            print(f"{task}: {ESTIMATORS[task].__name__} takes no budget_s; left out.", file=sys.stderr)
            continue
        for name, read in default_cases.cases(task, data):
            if chosen.only and name not in chosen.only:
                continue
            try:
                given = read()
            except recurra.errors.MissingDataError as error:
                print(f"{task}: {name} left out. {error}", file=sys.stderr)
                continue
            row = measured(task, name, given, chosen, words)
            rows[task, name] = row
            theirs = ", ".join(
                f"{n} {p['score']:.3f} ({p['seconds']:.1f} s)" for n, p in row["peers"].items()
            )
            print(
                f"{task} {name}: {row['ours']:.3f} ({row['seconds']:.1f} s), {theirs}",
                file=sys.stderr,
                flush=True,
            )
            listed = in_order(rows)
            measured_so_far = {"machine": measure.machine(chosen.threads), "rows": listed}
            chosen.out.mkdir(parents=True, exist_ok=True)
            stored.write_text(json.dumps(measured_so_far, indent=1) + "\n")
    finish(stem, chosen, rows)


def in_order(rows: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows task by task, worst first."""
    return sorted(rows.values(), key=lambda row: (default_cases.TASKS.index(row["task"]), -row["gap"]))


def finish(stem: str, chosen: argparse.Namespace, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Print and store the table."""
    if not rows:
        sys.exit("Nothing was measured: no data set of that name in that task.")
    listed = in_order(rows)
    measure.write(stem, chosen.out, measure.machine(chosen.threads), listed, list(table(listed)))


if __name__ == "__main__":
    main()
