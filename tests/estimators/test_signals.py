"""Estimators with features, front ends and truncated backpropagation: rows at another rate, labels at the steps'."""

import itertools

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.records import Dataset, Record
from signal_files import message

WORDS = {"hidden_size": 8, "max_epochs": 2, "validation_fraction": 0, "random_state": 0, "verbose": 0}
MOTION = {"name": ["motion", "spectral"], "window_s": 0.3, "hop_s": 0.1}
FORMS = [
    {"features": MOTION},
    {"frontend": "convolution"},
    {"frontend": {"name": "patches", "window": 8, "hop": 5}, "tbptt": 10, "cell": "gru"},
    {
        "features": {"name": "statistics", "window_s": 0.1, "hop_s": 0.02},
        "frontend": {"name": "patches", "window": 4},
    },
]


def walks(n=8, seed=0):
    """Six channels at 100 Hz; every 60 samples the label changes, and with it the swing of the first channel."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(n):
        steps = int(rng.integers(200, 300))
        values = rng.normal(size=(steps, 6))
        values[:, 2] += 9.81
        walking = (np.arange(steps) // 60) % 2 == 1
        values[:, 0] += 5 * np.sin(np.arange(steps) / 2) * walking
        label = np.where(walking, "walk", "rest")
        records.append(Record(values, label=label, group=i // 2, name=f"r{i}", sample_rate_hz=100.0))
    return Dataset(records, channel_names=list("abcdef"))


@pytest.fixture(scope="module")
def data():
    return walks()


@pytest.fixture(scope="module", params=FORMS, ids=lambda form: "+".join(form))
def labeler(request, data):
    return recurra.SequenceLabeler(**WORDS, **request.param).fit(data)


def test_a_label_for_every_step(labeler, data):
    assert [len(labels) for labels in labeler.predict(data)] == data.lengths.tolist()
    assert [p.shape for p in labeler.predict_proba(data)] == [(n, 2) for n in data.lengths]


def test_saved_and_loaded_the_same(labeler, data, tmp_path):
    labeler.save(tmp_path / "m.recurra")
    again = recurra.load_model(tmp_path / "m.recurra").predict_proba(data)
    assert all(np.array_equal(a, b) for a, b in zip(again, labeler.predict_proba(data), strict=True))


def test_a_stream_is_the_whole_bit_for_bit(labeler, data):
    rng = np.random.default_rng(0)
    for record, whole in list(zip(data.records, labeler.predict_proba(data), strict=True))[:3]:
        stream, out, place = labeler.stream(), [], 0
        while place < len(record.values):
            size = int(rng.integers(0, 90))
            out.append(stream.push(record.values[place : place + size]).probabilities)
            place += size
            state, stream = stream.state, labeler.stream()
            stream.state = state
        out.append(stream.finish().probabilities)
        np.testing.assert_array_equal(np.concatenate(out), whole)


def test_a_batch_mate_changes_nothing(labeler, data):
    alone = [labeler.predict_proba(data.take([i]))[0] for i in range(3)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, labeler.predict_proba(data), strict=False))


def test_explained_traced_judged(labeler, data, tmp_path):
    explanation = labeler.explain(data[0].values, step=70)
    assert explanation.values.shape == data[0].values.shape
    labeler.trace(data[0].values)
    evaluation = labeler.evaluate(data)
    assert 0 <= evaluation.metrics["segment_f1_baseline"] <= evaluation.metrics["segment_f1"] + 1
    if labeler.frontend is not None and labeler.features is not None:  # drawing takes a second
        evaluation.save(tmp_path / "report.html")


def test_it_learns_what_one_window_shows(data):
    clf = recurra.SequenceLabeler(**WORDS | {"max_epochs": 12, "learning_rate": 0.01}, features=MOTION).fit(
        data
    )
    assert clf.score(walks(4, seed=1), walks(4, seed=1).y) > 0.85


def test_contributions_add_up_to_those_of_the_inputs(data):
    """Of a front end alone, each sample's share is exact."""
    clf = recurra.SequenceClassifier(**WORDS, frontend={"name": "patches", "window": 8, "hop": 5})
    clf.fit(data.X, [i % 2 for i in range(len(data))])
    explanation = clf.explain(data[0].values, method="integrated_gradients", points=64)
    outputs = clf.model_.outputs([data[0].values])
    assert explanation.error < 0.05 * max(1.0, float(np.abs(outputs).max()))


def test_segments(data):
    clf = recurra.SequenceLabeler(**WORDS, features=MOTION).fit(data)
    for least in (0.0, 0.25):
        for record, labels, segments in zip(
            data.records, clf.predict(data), clf.segments(data, min_duration_s=least), strict=True
        ):
            assert (segments[0].start, segments[-1].end) == (0, len(record.values))
            assert all(a.end == b.start and a.label != b.label for a, b in itertools.pairwise(segments))
            assert all(s.start_s == s.start / 100 for s in segments)
            if least:
                assert all(s.end_s - s.start_s >= least for s in segments) or len(segments) == 1
            else:
                spread = np.repeat([s.label for s in segments], [s.end - s.start for s in segments])
                np.testing.assert_array_equal(spread, labels)


@pytest.mark.parametrize(
    "words", [{"features": "spectral"}, {"frontend": "convolution", "bidirectional": True}]
)
def test_a_classifier(data, words, tmp_path):
    y = [i % 2 for i in range(len(data))]
    clf = recurra.SequenceClassifier(**WORDS, pooling="mean", **words).fit(Dataset(
        [Record(r.values, label=label, sample_rate_hz=100.0) for r, label in zip(data.records, y, strict=True)]
    ))  # fmt: skip
    clf.evaluate(data.X, y).save(tmp_path / "report.html")
    assert clf.predict_proba(data.X).shape == (len(data), 2)


def test_heartbeats_as_rows():
    t = np.arange(3000) / 100
    X = [np.exp(-((((t * rate) % 1) - 0.5) ** 2) * 800)[:, None] for rate in (1.0, 1.1, 1.2, 1.7, 1.8, 1.9)]
    words = WORDS | {"max_epochs": 30, "learning_rate": 0.02}
    features = {"name": "beat_intervals", "sample_rate_hz": 100}
    clf = recurra.SequenceClassifier(**words, features=features).fit(X, list("aaabbb"))
    assert clf.predict(X).tolist() == list("aaabbb")
    assert clf.model_.prepare(X)[0].shape[1] == 6
    said = message(lambda: clf.explain(X[0]), UsageError)
    assert said == "explain: rows are heartbeats, which cannot be shown on the samples; give the beats as X."
    y = [np.zeros(len(x), int) + i % 2 for i, x in enumerate(X)]
    said = message(lambda: recurra.SequenceLabeler(**WORDS, features=features).fit(X, y), UsageError)
    assert "which cannot label every time step" in said


def test_sentences(data):
    make = recurra.SequenceLabeler
    clf = make(**WORDS, features=MOTION).fit(data)
    slow = Dataset([Record(r.values, label=r.label, sample_rate_hz=50.0) for r in data.records])
    assert message(lambda: clf.predict(slow), DataError) == (
        "SequenceLabeler: the network was trained on 100 steps a second, these data have 50. Resample them to 100 Hz, for "
        "signal files with resample_hz=100."
    )
    short = message(lambda: clf.predict([data[0].values[:20]]), DataError)
    assert short == (
        "features: sequence 0 has 20 steps, fewer than the 30 of the first row. Leave it out, or choose a shorter window."
    )
    said = message(lambda: make(**WORDS, features="spectral").fit(data.X, data.y), UsageError)
    assert said.startswith("features: the sampling rate is not known; give a Dataset")
    said = message(lambda: make(**WORDS, features="spectral", missing="mask").fit(data), UsageError)
    assert said.startswith(
        "missing='mask' marks missing values step by step and cannot stand beside features="
    )
    said = message(lambda: make(tbptt=5, bidirectional=True).fit(data), UsageError)
    assert said.startswith("SequenceLabeler: tbptt carries the state forward from cut to cut")
    for frontend, part in (
        (
            "convolutionz",
            "must be one of 'convolution', 'patches', 'convolutions', None or a dictionary; got 'convolutionz'. Did you",
        ),
        (
            {"name": "patches", "kernel": 3},
            "patches takes no option 'kernel'; known are 'window', 'hop', 'size'.",
        ),
        (
            {"name": "convolution", "window": 8, "hop": 8},
            "kernel=8 into 8 samples, and kernel_2=4 into the 1 positions",
        ),
        ({"name": "patches", "window": 0}, "window must be a whole number of at least 1; got 0."),
    ):
        assert part in message(lambda frontend=frontend: make(frontend=frontend).fit(data), UsageError)
    said = message(lambda: clf.stream(look_ahead=3), UsageError)
    assert said.startswith("stream: look_ahead runs the network again on a window of rows")
    said = message(lambda: clf.segments(data, min_duration_s=-1), UsageError)
    assert said == "segments: min_duration_s must be a number of at least 0; got -1."
