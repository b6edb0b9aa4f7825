"""What is said of an option once is what the constructor, its docstring, its checks and the page show."""

import dataclasses
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import recurra
from recurra.errors import UsageError
from recurra.fitting.option_checks import check_params
from recurra.options import ESTIMATORS, OPTIONS, Option, Options, Training, option, options_of

TOOL = Path(__file__).parent.parent / "tools" / "make_options_page.py"
CASES = [(name, one) for name, owner in ESTIMATORS.items() for one in options_of(owner).values()]


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    return getattr(recurra, request.param)


def outside(one):
    """Return values that an option does not take."""
    found = [] if one.kind == "object" else [object()]
    if one.kind == "choice":
        found += ["nothing of the kind", 3]
    if one.kind in ("int", "float", "ints", "floats"):
        found += ["many", *([] if bool in one.also else [True]), float("nan")]
        found += [] if one.low is None else [one.low if one.low_open else one.low - 1]
        found += [] if one.high is None else [one.high if one.high_open else one.high + 1]
        found += [2.5] if one.kind in ("int", "ints") else []
    if one.kind == "bool":
        found += [1, "yes"]
    return found if one.none or one.kind == "object" else [*found, None]


def test_all_ten_have_their_options():
    assert set(ESTIMATORS) == {
        name for name in recurra.__all__ if hasattr(getattr(recurra, name), "get_params")
    }
    assert len(ESTIMATORS) == 10


def test_the_constructor_is_what_stands_in_the_table(estimator):
    own = options_of(estimator)
    parameters = inspect.signature(estimator).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        name: one.default for name, one in own.items()
    }
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert all(parameter.annotation is not parameter.empty for parameter in parameters.values())
    assert estimator().get_params() == {name: one.default for name, one in sorted(own.items())}


def test_the_constructor_only_stores(estimator):
    given = {name: object() for name in options_of(estimator)}
    made = estimator(**given)
    assert vars(made) == given
    assert all(value is given[name] for name, value in made.get_params(deep=False).items())
    assert made != estimator(**given)  # compared by identity, as scikit-learn's are
    assert repr(estimator()) == f"{estimator.__name__}()"
    assert clone(estimator()).get_params() == estimator().get_params()


def test_the_docstring_holds_every_option(estimator):
    for one in options_of(estimator).values():
        assert f"\n{one.name} : {one.shown_type}, default=" in estimator.__doc__
    flat = " ".join(estimator.__doc__.split())
    assert all(one.doc in flat for one in options_of(estimator).values())
    assert estimator.__doc__.count("Parameters\n----------\n") == 1


@pytest.mark.parametrize(("name", "one"), CASES, ids=lambda case: getattr(case, "name", case))
def test_default_in_range_and_others_refused(name, one):
    own = options_of(ESTIMATORS[name])
    check_params(name, {one.name: one.default}, own)
    for value in outside(one):
        with pytest.raises(UsageError, match=f"{name}: {one.name} must be"):
            check_params(name, {one.name: value}, own)


@pytest.mark.parametrize("one", OPTIONS.values(), ids=lambda one: one.name)
def test_every_option_is_told_in_a_sentence(one):
    assert one.doc[0].isupper() or one.doc.startswith(("torch ", "0 "))
    assert one.doc.endswith(".")
    assert 0 < len(one.help) <= 200
    assert "None" not in one.help
    assert "``" not in one.help


def test_what_is_not_said_again_stays_that_of_the_group():
    own = options_of(ESTIMATORS["Forecaster"])
    assert own["max_epochs"] == dataclasses.replace(options_of(Training)["max_epochs"], default=20)
    assert own["batch_size"].low == 1
    assert own["batch_size"].doc == "Windows per training step."
    assert "common" in own["scaling"].choices
    assert "common" not in options_of(ESTIMATORS["SequenceClassifier"])["scaling"].choices
    assert set(own["scaling"].choices) <= set(OPTIONS["scaling"].choices)


def test_auto_is_a_value_where_an_option_says_so():
    assert [one.name for one in OPTIONS.values() if one.auto] == [
        "wide",
        "neighbours",
        "quantile",
        "statistical",
    ]

    @dataclasses.dataclass(kw_only=True, eq=False, repr=False)
    class Some(Options):
        units: int | str = option("auto", "Units.", low=1, auto=True)
        way: str = option("auto", "Way.", choices=("up", "down"), auto=True)
        whether: bool | str = option("auto", "Whether.", auto=True)

    own = options_of(Some)
    assert own["units"].shown_type == 'int or "auto"'
    check_params("Some", {"units": "auto", "way": "auto"}, own)
    check_params("Some", {"units": 3, "way": "up"}, own)
    with pytest.raises(
        UsageError, match=r"units must be one of 'auto'; got 'automatic'\. Did you mean 'auto'\?"
    ):
        check_params("Some", {"units": "automatic"}, own)
    with pytest.raises(UsageError, match=r"way must be one of 'up', 'down', 'auto'; got 'left'"):
        check_params("Some", {"way": "left"}, own)
    check_params("Some", {"whether": np.True_}, own)
    with pytest.raises(UsageError, match="whether must be one of True, False, 'auto'; got 'yes'"):
        check_params("Some", {"whether": "yes"}, own)
    with pytest.raises(UsageError, match="whether must be True, False or 'auto'; got 1"):
        check_params("Some", {"whether": 1}, own)


def test_options_of_a_users_own_class_come_beside():
    @dataclasses.dataclass(kw_only=True, eq=False, repr=False)
    class Mine(recurra.SequenceClassifier):
        share: float = 0.5

    own = options_of(Mine)
    assert own["share"] == Option("share", 0.5, kind="float")
    assert list(own)[:-1] == list(options_of(recurra.SequenceClassifier))
    assert clone(Mine(share=0.2)).share == 0.2


@pytest.mark.skipif(not TOOL.exists(), reason="the page is not beside the installed package")
def test_the_page_is_made_of_the_table():
    spec = importlib.util.spec_from_file_location("make_options_page", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), "run python tools/make_options_page.py"
