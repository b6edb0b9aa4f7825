"""The content of ``config.json``: everything to repeat a run."""

import time
from typing import Any

import recurra
from recurra.records import Dataset
from recurra.runs.command_line import can_be_written
from recurra.runs.data import sources
from recurra.runs.data.identity import digest, fingerprint
from recurra.runs.plan import Prepared


def config_of(prepared: Prepared) -> dict[str, Any]:
    """Return the configuration of a run; the names of its keys are part of the format of run folders."""
    from recurra.evaluation.report.context import installed_versions

    plan, dataset, split = prepared.plan, prepared.dataset, prepared.split
    test, params = plan.test, prepared.estimator.get_params(deep=False)
    config = {
        "recurra": recurra.__version__,
        "command": plan.command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": sources.place(plan.source),
        "data_kind": sources.kind(plan.source),
        "data_words": dict(plan.data_options),
        "data_summary": {**dataset.summary(), "source": dataset.source, **_times(dataset)},
        "test": test if test is None or isinstance(test, float) else sources.place(test) or "given in Python",
        "by": plan.by,
        "split": split.how,
        "n_train": len(split.train),
        "n_test": 0 if split.test is None else len(split.test),
        "identity": "content",  # what records are told apart by; in runs without it clips were by path
        "data_digest": fingerprint(split),
        "test_digest": None if split.test is None else digest(split.test),
        "task": plan.task,
        "kind": plan.kind,
        "estimator": type(prepared.estimator).__name__,
        "seed": plan.seed,
        "words": {name: value for name, value in plan.options.items() if can_be_written(name, value)},
        "python_words": [name for name, value in plan.options.items() if not can_be_written(name, value)],
        "params": {name: value for name, value in params.items() if can_be_written(name, value)},
        "channel_names": None if dataset.channel_names is None else list(dataset.channel_names),
        "licence": dataset.licence,
        "citation": dataset.citation,
        "versions": installed_versions(),
    }
    return {**config, "beside": sources.beside(plan.folder, config)}


def _times(dataset: Dataset) -> dict[str, Any]:
    """Return what later files of few rows may not show of their times."""
    out: dict[str, Any] = {"time_spelling": dataset.time_spelling} if dataset.time_spelling else {}
    if dataset.kind == "series":
        out["dated"] = all(record.start is not None for record in dataset.records)
    return out
