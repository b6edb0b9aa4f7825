"""TensorBoard reads back, with its own reader, what the callback wrote."""

import subprocess
import sys

import pytest

from recurra.training.callbacks import Callback
from recurra.training.callbacks.tensorboard import TensorBoard
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy


def go(network, examples, *callbacks, **words):
    config = TrainingConfig(max_epochs=3, batch_size=8)
    return train(network, examples, config=config, loss=cross_entropy(), callbacks=callbacks, **words)


def read_back(folder):
    """Return name -> [(step, value)], as TensorBoard shows it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_the_history_is_read_back(make_network, make_examples, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    result = go(make_network(), make_examples(), TensorBoard(tmp_path))
    found = read_back(tmp_path)
    assert set(found) == set(result.history[0]) - {"epoch"}
    for name, points in found.items():
        assert points == [(row["epoch"], pytest.approx(row[name], rel=1e-6)) for row in result.history]


def test_a_training_that_goes_on_draws_one_curve(make_network, make_examples, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")

    class Stop(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 2:
                self.state = run.state()
            if run.epoch == 3:
                raise KeyboardInterrupt

    stop = Stop()
    with pytest.raises(KeyboardInterrupt):
        go(make_network(), make_examples(), TensorBoard(tmp_path), stop)
    result = go(make_network(), make_examples(), TensorBoard(tmp_path), start=stop.state)
    points = read_back(tmp_path)["train_loss"]
    assert points == [(row["epoch"], pytest.approx(row["train_loss"], rel=1e-6)) for row in result.history]


@pytest.mark.parametrize(
    ("module", "make", "says"),
    [
        ("tensorboard", "TensorBoard('x')", "TensorBoard needs the package tensorboard: pip install 'recurra[tensorboard]'"),
        ("mlflow", "MLflow()", "MLflow needs the package mlflow-skinny: pip install 'recurra[mlflow]'"),
    ],
)  # fmt: skip
def test_without_the_package_its_command_is_named(module, make, says):
    # None in sys.modules is how Python itself says that a module cannot be imported.
    code = f"""
import sys
sys.modules[{module!r}] = None
from recurra.errors import MissingExtraError
from recurra.training.callbacks.{module} import *
try:
    {make}.on_train_begin(None)
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == says
