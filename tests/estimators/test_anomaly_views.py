"""A bare detector of a recording that grows: few false alarms on what follows, and faults are found all the same."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import recurra
from recurra import AnomalyDetector, store
from recurra.errors import RecurraWarning, StoreError, UsageError

TRAINED = 400


def sales(steps=700, seed=0):
    """Return a series that grows, with a week in it."""
    rng = np.random.default_rng(seed)
    return (0.1 * np.arange(steps) + 2 * np.sin(np.arange(steps) * 2 * np.pi / 7) + rng.normal(size=steps))[
        :, None
    ]


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecurraWarning)  # what is seen to is not warned of
        return AnomalyDetector(random_state=0, verbose=0).fit([sales()[:TRAINED]])


@pytest.mark.parametrize("seed", range(5))
def test_what_follows_is_normal_and_faults_in_it_are_found(seed):
    series = sales(seed=seed)
    after, faulty = series[TRAINED:], series[TRAINED:].copy()
    faulty[150:160] += 12
    bare = AnomalyDetector(random_state=0, verbose=0).fit([series[:TRAINED]])
    assert bare.model_.blocks.view != "values"
    assert (bare.predict([after])[0] == -1).mean() < 0.05
    assert (bare.predict([faulty])[0][150:160] == -1).any()
    values = AnomalyDetector(random_state=0, verbose=0, view="values", neighbours=True).fit(
        [series[:TRAINED]]
    )
    assert (values.predict([after])[0] == -1).mean() > 0.5


def test_what_is_looked_at_is_said_and_by_hand_repeats_the_bits(fitted):
    view = fitted.model_.blocks.view
    said = {"deviations": "median of the 25 before", "differences": "Steps from one value to the next"}
    assert said[view] in fitted.recipe_
    assert fitted.view == "auto"
    assert fitted.model_.manifest["params"]["view"] == view
    by_hand = AnomalyDetector(random_state=0, verbose=0, neighbours=True, view=view).fit([sales()[:TRAINED]])
    assert by_hand.recipe_ == ""
    np.testing.assert_array_equal(by_hand.score_samples([sales()])[0], fitted.score_samples([sales()])[0])
    assert by_hand.offset_ == fitted.offset_
    assert f"blocks of 1 step of {view}" in fitted._in_words()


@pytest.mark.parametrize("view", ["deviations", "differences"])
def test_files_copies_mates_move_no_bit(view, tmp_path):
    detector = AnomalyDetector(random_state=0, verbose=0, neighbours=True, view=view).fit(
        [np.column_stack([sales(), sales(seed=1)])]
    )
    X = [np.column_stack([sales(n, seed=2), sales(n, seed=3)]) for n in (300, 1, 10, 26)]
    whole = detector.score_samples(X)
    detector.save(tmp_path / "d.recurra")
    loaded = recurra.load_model(tmp_path / "d.recurra")
    for twin in (loaded, copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        for one, other in zip(twin.score_samples(X[::-1])[::-1], whole, strict=True):
            np.testing.assert_array_equal(one, other)
    manifest, arrays = store.load(tmp_path / "d.recurra")
    manifest["blocks"]["view"] = "spectra"
    store.save(tmp_path / "odd.recurra", manifest, arrays)
    with pytest.raises(StoreError):
        recurra.load_model(tmp_path / "odd.recurra")


def test_values_are_written_as_they_were(tmp_path):
    AnomalyDetector(random_state=0, verbose=0, max_epochs=1).fit([sales()[:50]]).save(tmp_path / "d.recurra")
    assert "view" not in store.load(tmp_path / "d.recurra")[0]["blocks"]


def test_a_detector_that_goes_on_looks_at_what_it_did(fitted, tmp_path):
    fitted.save(tmp_path / "d.recurra")
    detector = recurra.load_model(tmp_path / "d.recurra").set_params(view="auto", neighbours="auto")
    detector.fit([sales(seed=4)], resume=True)
    assert detector.model_.blocks.view == fitted.model_.blocks.view
    with pytest.raises(
        UsageError,
        match=r"AnomalyDetector: view must be what the fitted detector looks at, '\w+', to go on with resume=True; got "
        r"'values'\. Leave view out, or call fit without resume\.",
    ):
        detector.set_params(view="values").fit([sales(seed=4)], resume=True)


def test_options_of_ones_own_look_at_values_unless_told():
    with pytest.warns(RecurraWarning, match="give view='deviations' or view='differences'"):
        own = AnomalyDetector(random_state=0, verbose=0, max_epochs=1).fit([sales()[:TRAINED]])
    assert own.model_.blocks.view == "values"
    told = AnomalyDetector(random_state=0, verbose=0, max_epochs=1, view="differences").fit(
        [sales()[:TRAINED]]
    )
    assert told.model_.blocks.view == "differences"
    assert told.model_.neighbours is None


def test_a_view_has_no_graph(tmp_path):
    detector = AnomalyDetector(random_state=0, verbose=0, max_epochs=1, view="differences").fit([sales()])
    with pytest.raises(
        UsageError, match=r"looks at, differences, has no graph; train with view='values' to export it\."
    ):
        detector.export(tmp_path / "d.onnx")
