"""`MLflow`: the settings and the history of a training as a run of MLflow.

Extra: ``pip install 'recurra[mlflow]'``. Where runs go is MLflow's own affair: ``tracking_uri``, or
``MLFLOW_TRACKING_URI``.
"""

from typing import TYPE_CHECKING, Any

from recurra.checks import missing_extra
from recurra.training.callbacks import Callback

if TYPE_CHECKING:
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult


class MLflow(Callback):
    """Begins a run of MLflow when training begins, adds the history an epoch at a time, and ends it with its status.

    MLflow's global state, such as an active run, is neither used nor changed.

    Parameters
    ----------
    experiment : str, default="recurra"
        Name of the experiment; made if it is not there.
    run_name : str, optional
        Name of the run; MLflow's own choice by default.
    tracking_uri : str, optional
        Where runs are kept; as MLflow is set up by default.

    Attributes
    ----------
    run_id : str or None
        Of the run, once it has begun.

    Raises
    ------
    MissingExtraError
        When training begins without the package.

    Examples
    --------
    >>> callback = MLflow("gestures", run_name="first")
    >>> run = recurra.train("recordings/", out="runs/first", callbacks=[callback])  # doctest: +SKIP
    """

    def __init__(
        self, experiment: str = "recurra", *, run_name: str | None = None, tracking_uri: str | None = None
    ) -> None:
        self.experiment = experiment
        self.run_name = run_name
        self.tracking_uri = tracking_uri
        self.run_id: str | None = None
        self._client: Any = None

    def on_train_begin(self, run: "Run") -> None:
        """Begin a run with the settings as its parameters."""
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise missing_extra("mlflow-skinny", "mlflow", "MLflow") from None
        self._client = MlflowClient(self.tracking_uri)
        found = self._client.get_experiment_by_name(self.experiment)
        experiment = self._client.create_experiment(self.experiment) if found is None else found.experiment_id
        self.run_id = self._client.create_run(experiment, run_name=self.run_name).info.run_id
        for name, value in run.config.to_dict().items():
            self._client.log_param(self.run_id, name, value)

    def on_epoch_end(self, run: "Run") -> None:
        """Add the row of the epoch."""
        row = run.history[-1]
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float) and not isinstance(value, bool):
                self._client.log_metric(self.run_id, name, float(value), step=row["epoch"])

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """End the run, with why it ended as a tag."""
        self._client.set_tag(self.run_id, "stopped", result.stopped)
        self._end("FINISHED")

    def on_interrupt(self, run: "Run") -> None:
        """End the run as killed."""
        self._end("KILLED")

    def on_error(self, run: "Run", error: Exception) -> None:
        """End the run as failed."""
        self._end("FAILED")

    def _end(self, status: str) -> None:
        if self._client is not None and self.run_id is not None:
            self._client.set_terminated(self.run_id, status)
