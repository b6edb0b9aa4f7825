"""MLflow's own client reads back what the callback logged."""

import pytest

from recurra.errors import TrainingError
from recurra.training.callbacks import Callback
from recurra.training.callbacks.mlflow import MLflow
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy


@pytest.fixture
def client(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    # Its file store needs no database; MLflow 3 asks for this word to use it.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return mlflow.MlflowClient(f"file://{tmp_path / 'mlruns'}")


def go(network, examples, callbacks, **words):
    config = TrainingConfig(**{"max_epochs": 3, "batch_size": 8, **words})
    return train(network, examples, config=config, loss=cross_entropy(), callbacks=callbacks)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_settings_history_and_end_are_read_back(make_network, make_examples, client, tmp_path):
    uri = f"file://{tmp_path / 'mlruns'}"
    callback = MLflow("waves", run_name="first", tracking_uri=uri)
    result = go(make_network(), make_examples(), [callback])
    found = client.get_run(callback.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert found.data.params["batch_size"] == "8"
    assert found.data.tags["stopped"] == "max_epochs"
    for name in set(result.history[0]) - {"epoch"}:
        points = [(m.step, m.value) for m in client.get_metric_history(callback.run_id, name)]
        assert points == [(row["epoch"], row[name]) for row in result.history]
    again = MLflow("waves", tracking_uri=uri)
    go(make_network(), make_examples(), [again])
    assert client.get_run(again.run_id).info.experiment_id == found.info.experiment_id


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (TrainingError, "FAILED")])
def test_a_run_that_does_not_end_well_is_marked(make_network, make_examples, client, tmp_path, error, status):
    class Stop(Callback):
        def on_epoch_end(self, run):
            raise error

    callback = MLflow(tracking_uri=f"file://{tmp_path / 'mlruns'}")
    with pytest.raises(error):
        go(make_network(), make_examples(), [callback, Stop()])
    assert client.get_run(callback.run_id).info.status == status
