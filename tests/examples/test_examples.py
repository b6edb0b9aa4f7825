"""Every example runs with --quick, in its own process, as a user would start it."""

import json
import subprocess
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.stem)
def test_example_runs_quickly_and_writes_its_results(example, warm_command, tmp_path):
    command = [*warm_command, str(example), "--quick", "--seed", "0", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if "MissingDataError" in done.stderr or (done.returncode == 3 and "is not there" in done.stderr):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics
    assert all(isinstance(value, int | float | str) for value in metrics.values())
    assert "<html" in (tmp_path / "out" / "report.html").read_text()[:500].lower()
