"""The bare forecaster on short series with inputs known in advance (holidays, weather, prices, laws).

    python benchmarks/known_inputs.py    # makes the environment of the peers where it is missing

Three origins a horizon apart, fewer in a series without room for them; everything is fitted anew at each, recurra with and
without the inputs. What happens to inputs was decided on the first half of the series; the others were looked at once it
stood. Mean absolute errors over that of the better of last value and season before, known in hindsight. Written to
benchmarks/results/known_inputs.json.
"""

import argparse
import json
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import defaults
import measure
import numpy as np
import pandas as pd

import recurra

ORIGINS = 3
LISTED = """
import json, known_cases
print(json.dumps({n: c[1:] for n, c in (known_cases.MADE_ON | known_cases.ASIDE).items()}), len(known_cases.MADE_ON))
"""


def cases(python: Path) -> tuple[dict[str, tuple[str, int, int]], list[str]]:
    """Return frequency, season and horizon by the name of the series, and the names of those rules were made on."""
    asked = [python, "-W", "ignore", "-c", LISTED]
    said = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=Path(__file__).parent).stdout
    listed, made_on = said.rsplit(maxsplit=1)
    found = {name: tuple(case) for name, case in json.loads(listed).items()}
    return found, list(found)[: int(made_on)]


def origins(steps: int, horizon: int, season: int) -> list[int]:
    """Return where forecasts begin."""
    least = max(20, 2 * horizon, 2 * season + 1)
    count = max(1, min(ORIGINS, (steps - least) // horizon))
    return [steps - back * horizon for back in range(count, 0, -1)]


def row(name: str, case: tuple[str, int, int], python: Path, threads: int) -> dict[str, Any]:
    """Return the figures of one series."""
    freq, season, horizon = case
    whole, _ = defaults.answered(python, "series with inputs", threads, name=name)
    values, inputs = whole[:, 0], whole[:, 1:]
    ends = origins(len(values), horizon, season)
    truth = np.stack([values[end : end + horizon] for end in ends])
    answers: dict[str, Any] = {"recurra": [], "recurra without the inputs": []}
    seconds, weights = dict.fromkeys(answers, 0.0), []
    for end in ends:
        history = pd.Series(values[:end], pd.date_range("2001-01-01", periods=end, freq=freq))
        for who, words in (
            ("recurra", {"known": inputs[: end + horizon]}),
            ("recurra without the inputs", {}),
        ):
            began = time.process_time()
            model = recurra.Forecaster(horizon=horizon, random_state=0, verbose=0).fit(history, **words)
            answers[who].append(np.ravel(model.predict()))
            seconds[who] += time.process_time() - began
            if words:
                weights.append(model.model_.manifest["statistical"]["weight"])
    words = {"horizon": horizon, "season": season}
    tables = defaults.packed("tables", [whole[: end + horizon] for end in ends])
    histories = defaults.packed("histories", [values[:end] for end in ends])
    answers["ARIMA with inputs"], _ = defaults.answered(
        python, "ARIMA with inputs", threads, **words, **tables
    )
    answers["AutoETS"], _ = defaults.answered(python, "AutoETS", threads, **words, **histories)
    naive = [np.stack([np.resize(values[end - m : end], horizon) for end in ends]) for m in (1, season)]
    least = min(float(np.abs(one - truth).mean()) for one in naive)
    return {
        "series": name,
        "steps": len(values),
        "inputs": inputs.shape[1],
        "origins": len(ends),
        "weights of the statistical forecast": weights,
        "relative": {who: float(np.abs(np.stack(a) - truth).mean()) / least for who, a in answers.items()},
        "processor seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of series")
    parser.add_argument(
        "--peers", type=Path, default=defaults.CACHE, help=f"folder of their environment ({defaults.CACHE})"
    )
    parser.add_argument("--out", type=Path, default=measure.RESULTS)
    chosen = parser.parse_args()
    measure.torch.set_num_threads(chosen.threads)
    python = defaults.environment(chosen.peers)
    listed, made_on = cases(python)
    rows, text = [], []
    for name in chosen.only or listed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", recurra.errors.RecurraWarning)
            rows.append(row(name, listed[name], python, chosen.threads))
        rows[-1]["half"] = "made on" if name in made_on else "aside"
        figures = ", ".join(f"{who} {ratio:.3f}" for who, ratio in rows[-1]["relative"].items())
        text.append(f"{rows[-1]['half']}: {name}: {figures}")
        print(text[-1], flush=True)
    text += measure.of_halves(rows)
    print("\n".join(text[-2:]))
    measure.write("known_inputs", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
