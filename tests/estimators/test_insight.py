"""explain, trace and gradient_flow of fitted estimators; the words initialization and curriculum."""

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import UsageError
from recurra.kernels.networks.stack import stack_forward

WORDS = {"hidden_size": 6, "max_epochs": 2, "random_state": 0, "verbose": 0, "patience": None}


def waves(n=30, seed=0, channels=3):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(int(rng.integers(5, 15)), channels)) for _ in range(n)]
    return X, np.array(["up" if x[:, 0].mean() > 0 else "down" for x in X])


@pytest.fixture(scope="module")
def classifier():
    X, y = waves()
    return recurra.SequenceClassifier(**WORDS).fit(X, y), X, y


@pytest.fixture(scope="module")
def labeler():
    X, _ = waves()
    return recurra.SequenceLabeler(**WORDS).fit(X, [np.where(x[:, 0] > 0, "a", "b") for x in X]), X


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "gradient_times_input"])
def test_every_method_answers_the_same_call(classifier, method):
    clf, X, _ = classifier
    found = clf.explain(X[0], method=method, target="up")
    assert found.method == method
    assert found.target == "up"
    assert found.values.shape == X[0].shape
    assert found.output == pytest.approx(float(clf.model_.outputs([X[0]])[0, 1]), rel=1e-5)
    np.testing.assert_array_equal(found.input, X[0])


def test_default_is_integrated_gradients_with_a_small_error(classifier):
    clf, X, _ = classifier
    found = clf.explain(X[1])
    assert found.method == "integrated_gradients"
    assert found.target == clf.predict([X[1]])[0]
    assert abs(found.error) < 1e-5


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "gradient_times_input"])
def test_one_labelled_step(labeler, method):
    model, X = labeler
    found = model.explain(X[0], method=method, step=2)
    assert found.target == model.predict([X[0]])[0][2]
    assert not found.values[3:].any()


def test_mask_channels_are_folded_into_their_own():
    X, y = waves()
    X[0][2, 1] = np.nan
    clf = recurra.SequenceClassifier(missing="mask", **WORDS).fit(X, y)
    for method in ("integrated_gradients", "occlusion"):
        assert clf.explain(X[0], method=method).values.shape == X[0].shape


def test_trace_agrees_with_the_layers_output_bit_for_bit(classifier):
    clf, X, _ = classifier
    traced = clf.trace(X[0], name="first")
    (prepared,) = clf.model_.prepare([X[0]])
    output, _ = stack_forward(
        prepared, lengths=[len(prepared)], cell="lstm", weights=clf.model_.weights, prefix="recurrent."
    )
    np.testing.assert_array_equal(traced.layer().state, output)
    np.testing.assert_array_equal(traced.input, X[0])
    assert traced.name == "first"


def test_gradient_flow_of_every_task(classifier, labeler):
    clf, X, y = classifier
    assert len(clf.gradient_flow(X, y).lengths) == 30
    model, X = labeler
    assert model.gradient_flow(X, [np.full(len(x), "a") for x in X]).loss > 0
    numbers = np.array([x.sum() for x in X])
    assert recurra.SequenceRegressor(**WORDS).fit(X, numbers).gradient_flow(X, numbers).loss > 0


def test_gradient_flow_is_that_of_the_training_loss(classifier):
    clf, X, y = classifier
    outputs = torch.from_numpy(clf.model_.outputs(X))
    expected = torch.nn.functional.cross_entropy(outputs, torch.tensor([int(label == "up") for label in y]))
    assert clf.gradient_flow(X, y).loss == pytest.approx(float(expected), rel=1e-5)


def own(input_size, output_size):
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(input_size, output_size)

        def forward(self, ragged):
            parts = ragged.values.split(ragged.lengths.tolist())
            return self.linear(torch.stack([part.mean(dim=0) for part in parts]))

    return Own()


def test_a_network_of_ones_own_is_explained_but_not_traced(classifier):
    _, X, y = classifier
    clf = recurra.SequenceClassifier(network=own, **WORDS).fit(X, y)
    assert abs(clf.explain(X[0]).error) < 1e-5
    with pytest.raises(UsageError, match="trace needs the estimator's own network"):
        clf.trace(X[0])
    with pytest.raises(UsageError, match="gradient_flow: needs a network of"):
        clf.gradient_flow(X, y)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"method": "gradients"},
            r"method must be one of 'integrated_gradients', 'occlusion', 'gradient_times_input'",
        ),
        ({"step": 0}, r"step is for networks with an answer per time step; leave it out"),
        ({"target": "left"}, r"target must be one of 'down', 'up'; got 'left'"),
        ({"window": 3}, r"method 'integrated_gradients' has no option 'window'; its options are points"),
        ({"method": "gradient_times_input", "points": 3}, r"has no option 'points'; it has no options"),
    ],
)
def test_messages(classifier, words, message):
    clf, X, _ = classifier
    with pytest.raises(UsageError, match=message):
        clf.explain(X[0], **words)


def test_step_out_of_range(labeler):
    model, X = labeler
    with pytest.raises(
        UsageError, match=rf"step must be a whole number in \[-{len(X[0])}, {len(X[0]) - 1}\]; got 99"
    ):
        model.explain(X[0], step=99)


@pytest.mark.parametrize(
    ("cell", "initialization"), [("rnn", "identity"), ("lstm", "chrono"), ("gru", "chrono"), ("gru", "torch")]
)
def test_initialization_is_trained_from_and_saved(tmp_path, cell, initialization):
    X, y = waves()
    clf = recurra.SequenceClassifier(cell=cell, initialization=initialization, **WORDS).fit(X, y)
    clf.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra")
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert clf.trace(X[0]).layer().state.min() >= (0 if initialization == "identity" else -1)


def test_initialization_decides_where_training_begins():
    X, y = waves()
    words = WORDS | {"max_epochs": 1, "learning_rate": 1e-9}
    longest = max(len(x) for x in X)
    clf = recurra.SequenceClassifier(initialization="chrono", **words).fit(X, y)
    bias = clf.model_.weights["recurrent.bias_ih_l0"]
    assert np.allclose(bias[:6], -bias[6:12], atol=1e-6)
    assert np.exp(bias[6:12]).max() <= longest - 1 + 1e-3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"initialization": "identity"},
            r"initialization='identity' is for cell='rnn', .* got cell='lstm'\. Use",
        ),
        (
            {"initialization": "chrono", "cell": "rnn"},
            r"'chrono' sets the gates that keep the state; cell='rnn' has none",
        ),
        ({"initialization": "chron"}, r"initialization must be one of .* Did you mean 'chrono'\?"),
        ({"curriculum": 0}, r"curriculum must be a whole number of at least 1; got 0"),
        ({"curriculum": {"begin": 3}}, r"curriculum has no option 'begin'"),
    ],
)
def test_wrong_words(words, message):
    X, y = waves()
    with pytest.raises(UsageError, match=message):
        recurra.SequenceClassifier(**WORDS | words).fit(X, y)


def test_curriculum_grows_lengths():
    X, y = waves()
    clf = recurra.SequenceClassifier(**WORDS | {"max_epochs": 4, "curriculum": 6}).fit(X, y)
    longest = max(len(x) for x in X)
    assert [row["length_limit"] for row in clf.history_] == [6, 9, 13, longest]


def test_the_report_shows_the_inside_of_the_median_sequence(classifier, tmp_path):
    clf, X, y = classifier
    clf.evaluate(X, y).save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Inside the network</h2>" in page
    assert "forget gate f" in page
    lengths = sorted(len(x) for x in X)
    assert f"over {lengths[(len(lengths) - 1) // 2]} time steps" in page
