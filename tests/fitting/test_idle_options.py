"""An option that is given and cannot act is refused, and changes nothing where a training that was begun goes on with it."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

import recurra
from recurra.checks import check_none_idle, without_idle
from recurra.errors import RecurraWarning, UsageError
from recurra.options import ESTIMATORS, Vocabulary, WordVectors, options_of

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(9, 2)) for _ in range(12)]
Y = list("aab") * 4
NUMBERS = RNG.normal(size=12)
SENTENCES = [["north", "wind"], ["warm", "rain", "again"]] * 6
TAGS = [["a", "b"], ["b", "a", "a"]] * 6
CLIPS = [RNG.integers(0, 255, size=(6, 32, 32, 3), dtype=np.uint8) for _ in range(12)]
SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "verbose": 0}


class Own(torch.nn.Module):
    """A network of a user's: the mean of all rows, or each of them."""

    def __init__(self, input_size, output_size, per_step=False):
        super().__init__()
        self.input_size, self.per_step = input_size, per_step
        self.linear = torch.nn.Linear(input_size, output_size)

    def forward(self, ragged):
        rows = ragged.values.float().reshape(len(ragged.values), -1)
        if rows.shape[1] != self.input_size:  # of texts: numbers of words
            rows = rows[:, :1].expand(-1, self.input_size)
        if not self.per_step:
            rows = torch.stack([part.mean(0) for part in rows.split(list(ragged.lengths))])
        return self.linear(rows)


class OfSteps(Own):
    def __init__(self, input_size, output_size):
        super().__init__(input_size, output_size, per_step=True)


class Images(torch.nn.Module):
    def forward(self, images):
        return images.mean(dim=(2, 3))


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
    (recurra.VideoClassifier, {"frames": 4, "rate_hz": 2.0, "backbone": Images()}, {"rate_hz": None}, "without rate_hz="),
    (
        recurra.VideoClassifier, {"scaling": "robust", "backbone": "small-cnn"}, {"backbone": Images()},
        "with an image network",
    ),
    *(
        (recurra.SequenceClassifier, {name: value, "network": Own}, None, "without network=")
        for name, value in {
            "bidirectional": True, "initialization": "torch", "pooling": "mean", "frontend": "convolutions",
            "tbptt": 3, "causal": True,
        }.items()
    ),
    (recurra.SequenceClassifier, {"frontend": {"name": "convolutions", "size": 4}, "network": Own}, None, "without net"),
    (recurra.SequenceLabeler, {"bidirectional": True, "network": OfSteps}, None, "without network="),
    (recurra.TextClassifier, {"input_dropout": 0.3, "network": Own}, None, "without network="),
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
            [" ".join(words) for words in SENTENCES], Y if "Class" in made.__name__ else NUMBERS
        )
    if made is recurra.SequenceLabeler:
        return fitted.fit(X, [["a", "b", "b"] * 3] * 12)
    if made is recurra.VideoClassifier:
        return fitted.fit(CLIPS, Y)
    return fitted.fit(X, NUMBERS if made is recurra.SequenceRegressor else Y)


def numbers_of(fitted):
    """Return all that was learned, as bytes."""
    model = fitted.model_
    kept = [model.manifest.get("threshold"), model.manifest.get("target"), model.manifest.get("calibration")]
    return {name: array.tobytes() for name, array in model.weights.items()}, kept


@pytest.mark.parametrize(("made", "options", "with_it", "where"), IDLE)
def test_an_option_that_cannot_act_is_refused_and_changes_nothing(made, options, with_it, where, tmp_path):
    name = next(iter(options))
    sentence = rf"{name}=.* acts? only {where}.* and changes? nothing here\. Leave (it|them) out\.$"
    with pytest.raises(UsageError, match=sentence):
        trained(made, **options)
    with pytest.warns(RecurraWarning, match=sentence):
        beside = trained(made, **options, checkpoint_dir=tmp_path)
    without = trained(made, **{key: value for key, value in options.items() if key != name})
    assert numbers_of(beside) == numbers_of(without)
    if with_it is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RecurraWarning)
            acts = trained(made, **{**options, **with_it})
        without = trained(made, **{key: v for key, v in {**options, **with_it}.items() if key != name})
        assert numbers_of(acts) != numbers_of(without)


def test_what_a_network_of_ones_own_reads_is_no_option_of_the_built_in_layers():
    """Windows of a front end and runs of letters come to a user's network as rows; there is nothing to warn of."""
    plain = trained(recurra.SequenceClassifier, network=Own)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecurraWarning)
        windows = trained(recurra.SequenceClassifier, network=Own, frontend={"name": "patches", "window": 3})
        assert (
            windows.model_.weights["linear.weight"].shape[1]
            == 3 * plain.model_.weights["linear.weight"].shape[1]
        )
        seen = []

        class Widths(OfSteps):
            def forward(self, ragged):
                seen.append(ragged.values.shape[1:])
                return super().forward(ragged)

        for count in (0, 5):
            recurra.SequenceLabeler(**SMALL, network=Widths, subwords=count).fit(SENTENCES, TAGS)
    assert len(set(seen)) == 2
    with pytest.raises(
        UsageError, match=r"train_vectors=True is for this class's own network, .* leave out network=\."
    ):
        trained(recurra.TextClassifier, network=Own, vectors="v.txt", train_vectors=True)


def test_a_search_names_the_option_that_does_not_act_and_goes_on():
    searched = GridSearchCV(
        recurra.SequenceRegressor(**SMALL, quantiles=(0.2, 0.5, 0.8)), {"loss": ["quantile", "mse"]}, cv=2
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        searched.fit(X, NUMBERS)
    failed = [str(one.message) for one in said if issubclass(one.category, FitFailedWarning)]
    assert "acts only with loss='quantile' and changes nothing here. Leave it out." in failed[0]
    assert searched.best_params_ == {"loss": "quantile"}
    each = GridSearchCV(
        recurra.SequenceRegressor(**SMALL),
        [{"loss": ["quantile"], "quantiles": [(0.2, 0.5, 0.8)]}, {"loss": ["mse"]}],
        cv=2,
        error_score="raise",
    )
    assert np.isfinite(each.fit(X, NUMBERS).cv_results_["mean_test_score"]).all()


def test_tune_leaves_out_of_a_trial_what_does_not_act_in_it(tmp_path):
    pytest.importorskip("optuna")
    data = recurra.load([RNG.normal(size=(9, 2)) for _ in range(40)], labels=list(RNG.normal(size=40)))
    told = []
    given = {"quantiles": (0.2, 0.5, 0.8), "hidden_size": 4, "max_epochs": 1, "num_layers": 1}
    found = recurra.tune(
        data,
        "regress",
        trials=5,
        search=["loss=quantile|mse"],
        out=tmp_path / "search",
        tell=told.append,
        **given,
    )
    assert all(row["value"] is not None for row in found.trials), told
    with pytest.raises(UsageError, match=r"quantiles=.* acts only with loss='quantile'"):
        recurra.tune(data, "regress", trials=1, out=tmp_path / "other", **given)
    known = options_of(recurra.SequenceRegressor)
    assert without_idle({**given, "loss": "quantile"}, known) == {**given, "loss": "quantile"}
    assert "quantiles" not in without_idle(given, known)


def test_a_run_is_not_begun_with_an_option_that_cannot_act(tmp_path):
    series = tmp_path / "series.csv"
    series.write_text("day,v\n" + "".join(f"2020-01-{d:02d},{d % 7}\n" for d in range(1, 32)))
    with pytest.raises(
        UsageError, match=r"^train: quantiles=.* acts only with loss='quantile' .*\. Leave it out\.$"
    ):
        recurra.train(series, task="forecast", out=tmp_path / "run", quantiles=(0.2, 0.8), verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("made", [getattr(recurra, name) for name in ESTIMATORS], ids=list(ESTIMATORS))
def test_defaults_are_no_options_given(made):
    known = options_of(made)
    check_none_idle("x", {name: one.default for name, one in known.items()}, known)
    if "network" in known:
        check_none_idle("x", {**{n: o.default for n, o in known.items()}, "network": torch.nn.Linear}, known)


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
