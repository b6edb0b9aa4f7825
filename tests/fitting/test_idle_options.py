"""An option that is given and cannot act is refused, or told where what decides is found in the data."""

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import UsageError
from recurra.options import ESTIMATORS, Vocabulary, WordVectors, options_of

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(9, 2)) for _ in range(12)]
Y = list("aab") * 4
SENTENCES = [["north", "wind"], ["warm", "rain", "again"]] * 6
TAGS = [["a", "b"], ["b", "a", "a"]] * 6
SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "verbose": 0}

# Estimator, options of which the first does not act, the same with what makes it act (None: it cannot here), where it acts.
IDLE = [
    (recurra.SequenceRegressor, {"quantiles": (0.2, 0.5, 0.8)}, {"loss": "quantile"}, "with loss='quantile'"),
    (recurra.Forecaster, {"quantiles": [0.2, 0.8]}, {"loss": "quantile"}, "with loss='quantile'"),
    (recurra.Forecaster, {"quantiles": (0.2, 0.8), "loss": "gaussian"}, None, "with loss='quantile'"),
    (recurra.TextRegressor, {"quantiles": (0.2, 0.8)}, {"loss": "quantile"}, "with loss='quantile'"),
    (recurra.TextClassifier, {"train_vectors": True}, None, "with vectors="),
    (recurra.TextRegressor, {"extra_words": 3}, None, "with vectors="),
    (recurra.AnomalyDetector, {"smooth": 3}, {"method": "forecaster"}, "with method='autoencoder' or 'fo"),
    (recurra.AnomalyDetector, {"quantile": 0.9, "contamination": 0.1}, {"contamination": None}, "without cont"),
    (recurra.VideoClassifier, {"frames": 4, "rate_hz": 2.0}, None, "without rate_hz="),
    (recurra.VideoClassifier, {"scaling": "robust", "backbone": "small-cnn"}, None, "with an image network"),
    *(
        (recurra.SequenceClassifier, {name: value, "network": torch.nn.Linear}, None, "without network=")
        for name, value in {
            "bidirectional": True, "initialization": "torch", "pooling": "mean", "frontend": "convolutions",
            "tbptt": 3, "causal": True,
        }.items()
    ),
    (recurra.SequenceLabeler, {"crf": True, "network": torch.nn.Linear}, None, "without network="),
]  # fmt: skip


def trained(made, **options):
    """Return an estimator trained on data of its kind."""
    fitted = made(**{**SMALL, **options})
    if made is recurra.Forecaster:
        return fitted.fit(np.sin(np.arange(80.0)))
    if made is recurra.AnomalyDetector:
        return fitted.fit(X)
    if made in (recurra.TextClassifier, recurra.TextRegressor):
        return fitted.fit(
            [" ".join(words) for words in SENTENCES], Y if "Class" in made.__name__ else range(12)
        )
    if made is recurra.SequenceLabeler:
        return fitted.fit(X, [["a", "b", "b"] * 3] * 12)
    return fitted.fit(X, RNG.normal(size=12) if made is recurra.SequenceRegressor else Y)


@pytest.mark.parametrize(("made", "options", "with_it", "where"), IDLE)
def test_an_option_that_cannot_act_is_refused(made, options, with_it, where):
    name = next(iter(options))
    with pytest.raises(UsageError, match=rf"{name}=.* acts? only {where}.*\. Leave (it|them) out\.$"):
        trained(made, **options)
    if with_it is not None:
        trained(made, **{**options, **with_it})


def test_a_run_is_not_begun_with_an_option_that_cannot_act(tmp_path):
    series = tmp_path / "series.csv"
    series.write_text("day,v\n" + "".join(f"2020-01-{d:02d},{d % 7}\n" for d in range(1, 32)))
    with pytest.raises(
        UsageError, match=r"^train: quantiles=.* acts only with loss='quantile'\. Leave it out\.$"
    ):
        recurra.train(series, task="forecast", out=tmp_path / "run", quantiles=(0.2, 0.8), verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("made", [getattr(recurra, name) for name in ESTIMATORS], ids=list(ESTIMATORS))
def test_defaults_are_no_options_given(made):
    from recurra.fitting.option_checks import check_together

    known = options_of(made)
    check_together("x", {name: one.default for name, one in known.items()}, known)
    if "network" in known:
        check_together("x", {**{n: o.default for n, o in known.items()}, "network": torch.nn.Linear}, known)


OTHER = {"vectors": "v.txt", "train_vectors": True, "extra_words": 3, "lowercase": False}


@pytest.mark.parametrize("name", [n for group in (WordVectors, Vocabulary) for n in options_of(group)])
def test_options_of_words_are_refused_for_signals(name):
    default = options_of(recurra.SequenceLabeler)[name].default
    value = OTHER[name] if name in OTHER else default + (0.3 if isinstance(default, float) else 2)
    options = {name: value} | ({"vectors": "v.txt"} if name in ("train_vectors", "extra_words") else {})
    with pytest.raises(UsageError, match=r"\w+= is for words; leave it out for signals\.$"):
        trained(recurra.SequenceLabeler, **options)


@pytest.mark.parametrize(
    "options",
    [{"scaling": "robust"}, {"missing": "mask"}, {"features": "mfcc"}, {"frontend": "convolutions"}],
)
def test_options_of_signals_are_refused_for_words(options):
    with pytest.raises(
        UsageError, match=rf"{next(iter(options))}= is for signals; leave it out for words\.$"
    ):
        recurra.SequenceLabeler(**SMALL, **options).fit(SENTENCES, TAGS)


def test_a_season_is_taken_out_only_where_one_is_known():
    series = np.sin(np.arange(80.0))
    options = {**SMALL, "seasonal": "adjust"}
    for season in (None, 1):
        with pytest.raises(
            UsageError, match=r"takes a season out, and none is known .* Give its steps as season="
        ):
            recurra.Forecaster(**options, season=season).fit(series)
    recurra.Forecaster(**options, season=6).fit(series)


def test_what_is_given_of_a_network_without_a_say_is_named():
    series = np.sin(np.arange(60.0))
    given = {"statistical": True, "verbose": 0, "random_state": 0}
    alone = recurra.Forecaster(**given, hidden_size=7, lags=(24, 30)).fit(series)
    assert alone.recipe_.endswith(" What is given of the network changes nothing: lags, hidden_size.")
    assert "changes nothing" not in recurra.Forecaster(**given, lags=[]).fit(series).recipe_
