"""`TrainedOn` of more steps than are looked at: what is kept is a part of what would be, and still tells."""

import dataclasses

import numpy as np
import pytest

from recurra.batches import training_digests
from recurra.batches.training_digests import TrainedOn


@pytest.mark.parametrize("looked_at", [1 << 10, 1 << 12])
def test_fewer_hashes_tell_the_same(looked_at, monkeypatch):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 2)) for n in rng.integers(100, 300, 60)]
    everything = TrainedOn.of_values(sequences)
    monkeypatch.setattr(training_digests, "_LOOKED_AT", looked_at)
    some = TrainedOn.of_values(sequences)
    assert some.every > everything.every
    assert some.steps == everything.steps
    np.testing.assert_array_equal(some.whole, everything.whole)
    kept = everything.stretches[everything.stretches % np.uint64(some.every) == 0]
    np.testing.assert_array_equal(some.stretches, kept)
    parts = [sequence[10:90] for sequence in sequences[:20]]
    new = [rng.normal(size=(80, 2)) for _ in range(20)]
    assert some.overlap(parts).known >= 18  # of short parts few stretches are looked at
    assert some.overlap(new).known == 0


@pytest.mark.parametrize("joined", [2, 7])
def test_hashes_are_joined_a_portion_at_a_time(joined, monkeypatch):
    rng = np.random.default_rng(1)
    sequences = [rng.normal(size=(n, 2)) for n in rng.integers(5, 40, 30)]
    whole = TrainedOn.of_values(sequences)
    monkeypatch.setattr(training_digests, "_JOINED", joined)
    np.testing.assert_array_equal(TrainedOn.of_values(sequences).stretches, whole.stretches)


def test_a_file_with_its_hashes_in_another_order_tells_the_same(tmp_path):
    rng = np.random.default_rng(2)
    sequences = [rng.normal(size=(60, 2)) for _ in range(20)]
    kept = TrainedOn.of_values(sequences)
    dataclasses.replace(kept, stretches=rng.permutation(kept.stretches)).save(tmp_path / "trained-on")
    asked = [*(own[7:50] for own in sequences[::2]), *(rng.normal(size=(40, 2)) for _ in range(5))]
    for own in (kept, TrainedOn.load(tmp_path / "trained-on")):
        found = own.overlap(asked)
        assert (found.known, found.in_part, found.total) == (10, 10, 15)
    assert kept.overlap([own[:30] for own in sequences], things="steps").known == 600
    assert dataclasses.replace(kept, stretches=kept.stretches[:0]).overlap(asked).known == 0


def timetable(seed, changed=0.1):
    """Departures an hour by a weekly timetable that changes a little, none at night."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * 7 * 20)
    usual = np.where(np.arange(168) % 24 < 6, 0, rng.integers(20, 60, 168))
    moved = (rng.random(len(hours)) < changed) * rng.integers(-2, 3, len(hours))
    return np.maximum(np.where(usual[hours % 168] > 0, usual[hours % 168] + moved, 0), 0)[:, None].astype(
        float
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("changed", [0.15, 0.3])
def test_a_series_that_repeats_itself_by_nature_is_not_trained_on(seed, changed):
    values = timetable(seed, changed)
    past, after = values[:2500], values[2500:]
    kept = TrainedOn.of_values([past], series=True)
    assert kept.overlap([after], things="steps").known == 0
    later = kept.overlap([values[2350:2900]], things="steps").known
    assert 120 <= later <= 150  # of 150; nights alone say nothing
