"""Intervals are as wide as the errors on what was held out say, and nothing held out is learned."""

import numpy as np
import pytest

import recurra
from recurra import Forecaster, store
from recurra.errors import RecurraWarning, StoreError
from recurra.inputs.series import read_series
from recurra.recipes.interval_calibration import shares
from recurra.serving.models import interval_factors

WORDS = {
    "horizon": 4, "context": 12, "members": 2, "hidden_size": 24, "max_epochs": 20, "batch_size": 8,
    "learning_rate": 0.01, "random_state": 0, "verbose": 0,
}  # fmt: skip


def noise(n, seed=0):
    """Return noise that hangs together: a network learns a short piece of it by heart."""
    rng, values = np.random.default_rng(seed), np.zeros(n)
    for step in range(1, n):
        values[step] = 0.7 * values[step - 1] + rng.normal()
    return values


@pytest.fixture(scope="module", params=["quantile", "gaussian"])
def both(request):
    values, words = noise(120), WORDS | {"loss": request.param}
    calibrated = Forecaster(**words).fit(values)
    return calibrated, Forecaster(**words, calibrate=False).fit(values)


def test_intervals_hold_what_they_promise(both):
    values = np.concatenate([noise(120), noise(800, seed=1)])
    coverage = [model.backtest(values, test=800).metrics["coverage"] for model in both]
    assert coverage[1] < 0.75  # learned by heart
    assert 0.75 <= coverage[0] <= 0.92
    assert both[1].calibration_ is None
    assert both[0].calibration_["windows"] > 80


def test_a_file_keeps_the_calibration(both, tmp_path):
    both[0].save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    mine, theirs = both[0].forecast(), again.forecast()
    np.testing.assert_array_equal(mine.low, theirs.low)
    assert again.calibration_ == both[0].calibration_
    manifest, arrays = store.load(tmp_path / "m.recurra")
    for broken in ([1.0], [float(-1)] * 9, ["a"] * 3, 5, {}):
        store.save(tmp_path / "b.recurra", manifest | {"calibration": {"factors": broken}}, arrays)
        with pytest.raises(StoreError):
            recurra.load_model(tmp_path / "b.recurra")


def test_the_validation_part_calibrates_too():
    words = WORDS | {"loss": "quantile", "members": 1, "validation_fraction": 0.3, "patience": None}
    model = Forecaster(**words).fit(noise(120))
    assert model.calibration_["windows"] == 36 - 4 + 1
    values = np.concatenate([noise(120), noise(800, seed=1)])
    assert 0.7 <= model.backtest(values, test=800).metrics["coverage"] <= 0.9


@pytest.mark.parametrize("length", [120, 700])  # one stretch for each member, and five
def test_no_member_learns_what_it_is_judged_on(length):
    given = read_series("X", [noise(90), noise(length)])
    spans = np.array([(i, o) for i, n in ((0, 90), (1, length)) for o in range(12, n - 3)])
    seen = []
    for learned, held in shares(spans, given, members=3, horizon=4):
        targets = [{(s, o + k) for s, o in spans[part] for k in range(4)} for part in (learned, held)]
        assert targets[0]
        assert targets[1]
        assert not targets[0] & targets[1]
        seen += held.tolist()
    assert len(seen) == len(set(seen))


def test_no_member_of_a_long_series_does_without_a_season():
    given = read_series("X", [noise(1000)])
    spans = np.array([(0, o) for o in range(12, 997)])
    for learned, held in shares(spans, given, members=3, horizon=4):
        for season in range(4):
            of_season = spans[:, 1] // 250 == season
            assert of_season[learned].mean() == pytest.approx(0.25, abs=0.05)
            assert of_season[held].mean() == pytest.approx(0.25, abs=0.05)


def test_with_many_series_whole_ones_are_left_out():
    given = read_series("X", [noise(30, seed) for seed in range(20)])
    spans = np.array([(i, o) for i in range(20) for o in range(12, 27)])
    parts = shares(spans, given, members=2, horizon=4)
    assert all(not set(spans[learned, 0]) & set(spans[held, 0]) for learned, held in parts)
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(len(spans)))


def test_series_too_short_to_leave_a_part_out():
    with pytest.warns(RecurraWarning, match="too short"):
        model = Forecaster(**WORDS | {"loss": "quantile", "max_epochs": 1}).fit(noise(20))
    assert model.calibration_ is None


def test_factors_by_hand():
    truth = np.arange(-50.0, 51.0)  # 101 values around a median of 0
    narrow = np.stack([np.full(101, -10.0), np.zeros(101), np.full(101, 10.0)], axis=1)
    factors = interval_factors.quantile_factors(narrow, np.zeros(101), truth, [0.1, 0.5, 0.9])
    assert factors == [pytest.approx(4.1), 1.0, pytest.approx(4.1)]  # the 92nd of 101 lies at 41
    wide = interval_factors.moved(narrow, narrow[:, 1], factors)
    assert np.mean((truth >= wide[:, 0]) & (truth <= wide[:, 2])) == pytest.approx(0.82, abs=0.01)
    normal = np.random.default_rng(0).normal(size=100_000)
    np.testing.assert_allclose(interval_factors.spread_factors(2 * normal), 2, rtol=0.03)
    assert interval_factors.widened(0.9, [2.0] * len(interval_factors.LEVELS)) == pytest.approx(
        2 * 1.28155, rel=1e-4
    )
