"""What is normal: how an anomaly detector is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.array_summaries import check_finite, check_not_tiny
from recurra.batches.examples import Examples
from recurra.batches.splits import content_keys
from recurra.batches.synthetic_faults import plant
from recurra.checks import counted
from recurra.errors import DataError
from recurra.features.windows.sample_blocks import Blocks
from recurra.fitting.manifest import kept_lengths, origin, plain_params, trained
from recurra.fitting.task import Member, Prepared, Start, Task, TrainingData
from recurra.inputs.request import Request
from recurra.inputs.sequences import read_unlabelled
from recurra.options import AnomalyDetectorOptions
from recurra.plain_arrays import check_same_channels
from recurra.recipes import anomalies
from recurra.serving.models.anomaly_model import NO_NAN, AnomalyModel

# Windows a training part gives if ``windows`` is not said: each step is in about so many.
OVERLAP = 4


@dataclass(frozen=True)
class AnomalyTask(Task):
    """A network that tells, undoes or forecasts windows of normal sequences."""

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the sequences in order of their content, so that the order they are given in decides nothing."""
        sequences, names = read_unlabelled(estimator, request.X, reset=True)
        check_same_channels(sequences, names=names)
        check_finite(sequences, names=names, advice=NO_NAN)
        check_not_tiny(sequences, "X")
        order = np.argsort(np.array(content_keys(sequences)), kind="stable")
        sequences = [sequences[i] for i in order.tolist()]
        return TrainingData(sequences, sequences)

    def decide(self, options: AnomalyDetectorOptions, data: TrainingData, start: Start) -> dict[str, Any]:
        """Return whether normal windows count beside the network, and what is looked at, where no one said."""
        found = anomalies.decided(options, data.given, start.fitted, who=start.who, seed=start.seed)
        if found.get("view") == "values":
            anomalies.warn_of_drift(data.given, start.who)
        return found

    def prepare(self, options: AnomalyDetectorOptions, data: TrainingData, start: Start) -> Prepared:
        """Draw windows, and describe network and model."""
        from recurra.nn.networks.sequence_network import NetworkConfig, build, from_arrays
        from recurra.training import losses

        sequences, fitted = data.given, start.fitted
        view, size = options.view, int(options.block)
        blocks = Blocks.fit(sequences, size=size, view=view) if fitted is None else fitted.blocks
        planted = options.method == "planted"
        config = NetworkConfig(
            cell=options.cell,
            input_size=blocks.input_size,
            hidden_size=int(options.hidden_size),
            output_size=1 if planted else blocks.size * blocks.n_channels,
            num_layers=int(options.num_layers),
            bidirectional=options.method != "forecaster",
            pooling="none",
            dropout=float(options.dropout),
        )
        params = plain_params(options)
        examples = _windows(options, sequences, blocks, start.seed)

        def model(members: Sequence[Member]) -> AnomalyModel:
            (member,) = members
            manifest = {
                **origin(start),
                "params": params,
                "task": "anomaly",
                "channel_names": getattr(options, "channel_names_in_", None),
                "network": config.to_dict(),
                "method": options.method,
                "reach": int(options.reach),
                "smooth": int(options.smooth),
                "error_spread": 1.0,
                "threshold": 0.0,
                "training": {
                    "windows": len(examples),
                    "lengths": kept_lengths([len(s) for s in sequences]),
                    **trained(member.result),
                },
            }
            alone = anomalies.with_spread(AnomalyModel(manifest, blocks, member.weights), sequences)
            scores = replace(alone, manifest={**alone.manifest, "reach": 0}).scores(sequences)
            if options.neighbours is True:
                alone, scores = anomalies.beside_neighbours(
                    alone, scores, sequences, seed=start.seed, told="neighbours" in start.decided
                )
            return anomalies.with_threshold(alone, scores, options, sequences=sequences, seed=start.seed)

        return Prepared(
            examples=examples,
            validation=None,
            build=lambda number: (
                build(config, seed=start.seed + number)
                if fitted is None
                else from_arrays(config, fitted.weights)
            ),
            loss=losses.binary_cross_entropy if planted else losses.mean_squared_error,
            model=model,
            params=params,
        )


def _windows(
    options: AnomalyDetectorOptions, sequences: list[np.ndarray], blocks: Blocks, seed: int
) -> Examples:
    """Return training windows: of each the rows, and for each block what is to be said of it."""
    rng = np.random.default_rng([seed, 0])
    window = -(-int(options.window) // blocks.size) * blocks.size
    steps = np.array([len(s) for s in sequences])
    count = options.windows or max(1, round(OVERLAP * steps.sum() / window))
    longest = options.longest or max(1, window // 3)
    inputs, targets = [], []
    spread = np.array((blocks if blocks.view == "values" else Blocks.fit(sequences, size=1)).spread)
    for index in rng.choice(len(sequences), size=count, p=steps / steps.sum()):
        sequence = sequences[int(index)]
        at = int(rng.integers(0, max(len(sequence) - window, 0) + 1))
        clean = sequence[at : at + window]
        if options.method == "forecaster":
            rows, goal = blocks.rows(clean), blocks.cut(blocks.scaled(clean))
            if len(rows) < 2:
                continue
            inputs.append(rows[:-1])
            targets.append(goal[1:].reshape(len(rows) - 1, -1).astype(np.float32))
            continue
        faulty = plant(clean, rng, count=int(rng.integers(0, 6)), longest=longest, spread=spread)
        inputs.append(blocks.rows(faulty.values))
        if options.method == "planted":
            share = blocks.cut(faulty.changed[:, None].astype(np.float64)).mean(axis=1)[:, 0]
            targets.append(share.astype(np.float32))
        else:
            goal = blocks.cut(blocks.scaled(clean))
            targets.append(goal.reshape(len(goal), -1).astype(np.float32))
    if not inputs:
        raise DataError(
            f"{type(options).__name__}: no sequence is longer than a block of {counted(blocks.size, 'step')}; nothing can "
            "be forecast. Give longer sequences or a smaller block."
        )
    return Examples(inputs, targets)
