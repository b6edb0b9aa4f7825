"""The cells beside LSTM, GRU and RNN, from the option to the stream without torch."""

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError
from recurra.kernels.cell import VARIANTS


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((int(rng.integers(5, 20)), 3)) for _ in range(24)]
    return X, [int(x[:, 0].sum() > 0) for x in X]


@pytest.mark.parametrize("cell", VARIANTS)
def test_a_cell_is_trained_saved_and_streamed(cell, sequences, tmp_path):
    X, y = sequences
    model = recurra.SequenceClassifier(cell=cell, hidden_size=6, max_epochs=2, pooling="last", random_state=0)
    model.fit(X, y)
    expected = model.predict_proba(X)
    model.save(tmp_path / "model.recurra")
    light = recurra.load_model(tmp_path / "model.recurra", runtime="light")
    np.testing.assert_array_equal(light.predict_proba(X), expected)
    stream = light.stream()
    for row in X[0]:
        answer = stream.step(row)
    np.testing.assert_allclose(answer.probabilities, expected[0], atol=1e-6)


def test_a_forecaster_says_which_cells_it_steps_through():
    series = [np.sin(np.arange(60) / 3)[:, None]]
    with pytest.raises(
        UsageError, match="cell must be one of 'rnn', 'rnn_relu', 'lstm', 'gru'; got 'lstm_norm'"
    ):
        recurra.Forecaster(cell="lstm_norm", horizon=3, max_epochs=1).fit(series)
