"""Several poolings as one name or as a sequence."""

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError

X = [np.random.default_rng(k).normal(loc=k % 2, size=(3 + k % 4, 2)) for k in range(12)]
Y = [k % 2 for k in range(12)]


def fit(name="SequenceClassifier", X=X, **options):
    given = {"max_epochs": 1, "hidden_size": 4, "random_state": 0, "verbose": 0}
    return getattr(recurra, name)(**{**given, **options}).fit(X, Y)


@pytest.mark.parametrize("several", [("mean", "max"), ["mean", "max"]])
@pytest.mark.parametrize(
    ("name", "given"),
    [("SequenceClassifier", X), ("SequenceRegressor", X), ("TextClassifier", ["a b", "c d"] * 6)],
)
def test_several_poolings_are_their_joined_name(name, given, several, tmp_path):
    one, other = fit(name, given, pooling=several), fit(name, given, pooling="mean+max")
    np.testing.assert_array_equal(one.predict(given), other.predict(given))
    assert one.model_.manifest["network"] == other.model_.manifest["network"]
    assert one.model_.manifest["params"]["pooling"] == "mean+max"
    assert one.pooling is several
    one.save(tmp_path / "m.recurra")
    np.testing.assert_array_equal(
        recurra.load_model(tmp_path / "m.recurra").predict(given), one.predict(given)
    )


@pytest.mark.parametrize("wrong", [(), ("mean", "mean"), ("mean", "median")])
def test_what_is_no_pooling_is_refused(wrong):
    with pytest.raises(UsageError, match=r"SequenceClassifier: pooling must"):
        fit(pooling=wrong)
