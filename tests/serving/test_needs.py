"""A model file says which of its keys a reader must know, so that nobody answers without them."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.errors import StoreError
from recurra.serving.models.manifest_check import FILES
from recurra.serving.schema import Length, Part, check_needed, needed

STORED = sorted((Path(__file__).parent / "files").glob("*.recurra"))


class Small(Part):
    name: Literal["small"]
    size: int
    later: tuple[float, ...] = ()
    words: str = ""
    told = frozenset({"words"})


class Large(Part):
    name: Literal["large"]
    later: bool = False


class Whole(Part):
    one: Small | Large | None = None
    many: Annotated[tuple[Small, ...], Length(0, 9)] = ()
    named: dict[str, Annotated[tuple[Small, ...], Length(0, 9)]] | None = None


class Earlier(Part):
    """`Whole` before a part of it was there."""

    one: Large | None = None
    many: Annotated[tuple[Large, ...], Length(0, 9)] = ()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, []),
        ({"one": None, "many": []}, []),
        ({"one": {"name": "small", "size": 3}}, ["one"]),
        ({"one": {"name": "small", "size": 3, "later": [], "words": "said"}}, ["one"]),
        ({"one": {"name": "small", "size": 3, "later": [1.0]}}, ["one", "one.later"]),
        ({"one": {"name": "large", "later": True}}, ["one", "one.later"]),
        ({"one": {"name": "large", "read elsewhere": 0}}, ["one"]),
        (
            {"many": [{"name": "small", "size": 1}, {"name": "small", "size": 1, "later": [2.0]}]},
            ["many", "many.later"],
        ),
        ({"named": {"a": [{"name": "small", "size": 1, "later": [2.0]}]}}, ["named", "named.later"]),
    ],
)
def test_what_may_be_absent_and_is_there_must_be_known(given: dict[str, Any], wanted: list[str]):
    assert needed(Whole, given) == wanted
    check_needed(Whole, given, wanted)
    with pytest.raises(
        StoreError, match=r"its answers need 'one\.foreign', which is unknown to this version"
    ):
        check_needed(Whole, given, [*wanted, "one.foreign"])


def test_a_key_that_another_part_reads_is_not_read_here():
    given = {"one": {"name": "large", "size": 3}}  # only `Small` has a size
    check_needed(Whole, given, needed(Whole, given))
    with pytest.raises(StoreError, match=r"need 'one\.size', which is unknown to this version"):
        check_needed(Whole, given, ["one", "one.size"])


def test_a_reader_that_lacks_a_key_refuses():
    given = {"named": {"a": []}, "many": [{"name": "large", "later": True}]}
    with pytest.raises(StoreError, match="'named'"):
        check_needed(Earlier, given, needed(Whole, given))
    check_needed(Earlier, given, ["many", "many.later"])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_files_of_before_are_read_and_written_anew_say_what_they_need(path: Path, tmp_path: Path):
    manifest, arrays = store.load(path)
    assert "needs" not in manifest
    task = (
        manifest.get("task")
        or {"Forecaster": "forecasting", "AnomalyDetector": "anomaly"}[manifest["estimator"]]
    )
    found = needed(FILES[task], {**manifest, "task": task})
    check_needed(FILES[task], manifest, found)
    for key in (*found, "network.foreign"):
        later = tmp_path / "later.recurra"
        store.save(later, {**manifest, "needs": [f"{key}.foreign"]}, arrays)
        with pytest.raises(
            StoreError, match=r"its answers need .*foreign', which is unknown to this version. Update recurra"
        ):
            recurra.load_model(later)


def small_models() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    words = {"max_epochs": 1, "hidden_size": 4, "random_state": 0, "verbose": 0}
    X, series = list(rng.normal(size=(12, 9, 2))), rng.normal(size=80)
    y = np.arange(12) % 2
    known = rng.normal(size=(90, 1))
    return {
        "classifier": recurra.SequenceClassifier(**words).fit(X, y),
        "regressor": recurra.SequenceRegressor(loss="quantile", quantiles=(0.1, 0.5), **words).fit(
            X, rng.normal(size=12)
        ),
        "forecaster": recurra.Forecaster(horizon=3, statistical=True, season=7, **words).fit(
            series, known=known
        ),
        "detector": recurra.AnomalyDetector(window=20, block=4, neighbours=True, **words).fit(
            [rng.normal(size=(200, 1))]
        ),
    }


def test_a_saved_model_says_what_it_needs_and_no_more(tmp_path: Path):
    wanted = {
        "forecaster": {"features.n_known", "features.seasons", "statistical", "statistical.known"},
        "regressor": {"target.quantiles"},
        "classifier": set(),
        "detector": {"neighbours"},
    }
    for name, model in small_models().items():
        path = tmp_path / f"{name}.recurra"
        model.save(path)
        manifest, _ = store.load(path)
        assert wanted[name] <= set(manifest["needs"]), name
        assert not any(
            key.split(".")[0] in ("training", "versions", "kind", "clock") for key in manifest["needs"]
        )
        again = recurra.load_model(path)
        again.save(path)
        assert store.load(path)[0]["needs"] == manifest["needs"]
