import json
import subprocess
import sys

import numpy as np
import pytest

from features import chunkings
from features.chunkings import KINDS, run
from recurra.features.chain import Chain
from recurra.features.registry import make_features, parse_features
from signal_files import waves


def test_chunk_by_chunk_is_the_whole_bit_for_bit():
    assert run(40) == 0


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_chain_comes_back_from_its_manifest(kind):
    values = waves(steps=700, channels=6)
    chain = Chain(make_features(parse_features(kind), 6, 100.0), 6)
    again = Chain.from_manifest(*chain.to_manifest())
    np.testing.assert_array_equal(again.transform(values), chain.transform(values))
    assert again.input_size == chain.input_size == chain.transform(values).shape[1]


def test_a_block_is_its_rows_and_memory_is_bounded(monkeypatch):
    from recurra.features.windows import sliding as windows

    values = waves(steps=400, channels=6)
    (whole,) = make_features(parse_features("spectral"), 6, 100.0)
    first = whole.transform(values)
    monkeypatch.setattr(windows, "_NUMBERS_AT_ONCE", 1)
    np.testing.assert_array_equal(whole.transform(values), first)


def test_many_slots():
    (windows,) = make_features(parse_features("statistics"), 2, 100.0)
    a, b = waves(steps=200, seed=1), waves(steps=200, seed=2)
    stream = windows.stream(2)
    stream.push(a[:30], 0)
    stream.grow(2)
    found = [stream.push(x, slot) for x, slot in ((b[:70], 1), (a[30:], 0), (b[70:], 1))]
    np.testing.assert_array_equal(found[1], windows.transform(a))
    np.testing.assert_array_equal(np.concatenate([found[0], found[2]]), windows.transform(b))
    stream.reset(1)
    np.testing.assert_array_equal(stream.push(b, 1), windows.transform(b))


def test_the_delay_is_what_a_stream_lags():
    (windows,) = make_features(
        parse_features({"name": "statistics", "window_s": 0.5, "hop_s": 0.1}), 2, 100.0
    )
    values = waves(steps=300)
    stream, rows, lag = windows.stream(2), 0, 0
    for step in range(300):
        rows += len(stream.push(values[step : step + 1], 0))
        if rows:
            lag = max(lag, step + 1 - windows.alignment.answered(rows))
    assert lag == windows.alignment.delay
    assert windows.delay_s == lag / 100


def test_the_count_of_chunkings_runs_as_the_guide_says():
    command = [sys.executable, chunkings.__file__, "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["bits_that_differ"] == 0
