"""One answer per sequence, or one per step of it: how classifiers, regressors and labelers are trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from recurra.batches.splits import held_out
from recurra.errors import DataError, UsageError
from recurra.features.chain import Chain
from recurra.features.static import StaticInputs
from recurra.fitting.manifest import (
    begun,
    origin,
    trained_members,
    training_facts,
)
from recurra.fitting.own_network import OwnNetwork, built, judged
from recurra.fitting.task import Member, Prepared, Start, Task, TrainingData
from recurra.inputs.request import Request
from recurra.inputs.sequences import (
    Given,
    check_steps,
    merged,
    read_training,
    validation_parts,
)
from recurra.inputs.targets import Fitted, Target, as_examples, class_weights, target_from_manifest
from recurra.options import Scaling, SequenceOptions, Signals
from recurra.recipes import recipe
from recurra.recipes.wide_part import fit_wide, shares_by_judging, with_best_share
from recurra.records import Dataset
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.models.wide import Wide as WidePart
from recurra.serving.streams.ensemble import count_of, joined, parted

FEWEST_GROUPS = 5


@dataclass(frozen=True)
class Learned:
    """What was learned of how sequences are read.

    Parameters
    ----------
    features : Chain
        From what was given to rows of numbers.
    first_vectors : ndarray or None
        Rows that trainable vectors of words begin with.
    facts : dict
        What the model file says of them.
    """

    features: Chain
    first_vectors: np.ndarray | None = None
    facts: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reading:
    """How X becomes sequences, and sequences rows of numbers: the steps that differ between signals, texts and clips.

    Parameters
    ----------
    read : callable (estimator, X, reset) -> (sequences, names)
        ``reset`` in training, where the names of channels are learned.
    check : callable (options, given) or None
        Raises DataError naming the first raw sequence that cannot be learned from.
    features : callable (options, given) -> Learned
        Learned from the part that trains.
    front : callable (options, learned) -> dict or None
        Describes the trainable layers before the recurrence.
    contents : callable (X, sequences) -> list, optional
        What tells the sequences apart, before any feature, where it is not they themselves.
    told : callable (options, learned, manifest) -> manifest, optional
        With what the model file keeps of it beside.
    takes_static : bool
        Whether sequences may have static inputs.
    """

    read: Callable[..., tuple[list[Any], list[str] | None]]
    check: Callable[[Any, Given], None] | None
    features: Callable[[Any, Given], Learned]
    front: Callable[[Any, Learned], dict[str, Any] | None]
    contents: Callable[[Any, list[Any]], list[Any]] | None = None
    told: Callable[[Any, Learned, dict[str, Any]], dict[str, Any]] | None = None
    takes_static: bool = True


@dataclass(frozen=True)
class SequenceTask(Task):
    """Sequences, put together from how data are read and what is answered.

    Parameters
    ----------
    reading : Reading
    target : callable (options, who, given) -> (Target, encoded)
        Learns the classes, or how many numbers there are, and encodes the labels.
    loss : callable (options, target, weight_of_class) -> Loss
    """

    reading: Reading
    target: Callable[[Any, str, Given], Fitted]
    loss: Callable[[Any, Target, np.ndarray | None], Any]

    def read(self, estimator: Any, request: Request, start: Start) -> TrainingData:
        """Return the sequences with encoded labels, merged and in order of their content."""
        X, model = request.X, start.fitted
        if request.static is not None and not self.reading.takes_static:
            raise UsageError(
                f"{start.who}: static= is for SequenceClassifier, SequenceRegressor and SequenceLabeler; leave it out."
            )
        given, static = read_training(self.reading.read, estimator, request, model)
        own = self.reading.contents
        contents = given.sequences if own is None else own(X, given.sequences)
        if model is None:
            target, encoded = self.target(estimator, start.who, given)
        else:
            target = target_from_manifest(model.task, model.manifest["target"])
            encoded = target.encode(given.y, given.names)
        if target.task == "labeling" or target.per_step:
            check_steps(start.who, given.sequences, encoded, given.names)
        if self.reading.check is not None:
            # before merging, which sorts: a message names the sequence where the user has it
            self.reading.check(estimator, given)
        judges = (
            None
            if request.validation is None
            else self._judges(estimator, request, target, start.who, static)
        )
        return TrainingData(merged(given, encoded), contents, target, judges, static, given.static)

    def _judges(
        self, estimator: Any, request: Request, target: Target, who: str, static: StaticInputs | None
    ) -> Given:
        X, y, beside = validation_parts(who, request.validation)
        sequences, names = self.reading.read(estimator, X, reset=False)
        encoded = target.encode(X.y if isinstance(X, Dataset) else y, names)
        if len(encoded) != len(sequences):
            raise DataError(
                f"{who}: validation must hold one label per sequence; got {len(sequences)} sequences and {len(encoded)} "
                "labels."
            )
        judges = Given(sequences=sequences, names=names, y=encoded, weights=np.ones(len(sequences)))
        if static is None:
            return judges
        columns = None
        if beside is None and isinstance(X, Dataset):
            beside, columns = X.static, X.static_names
        rows = static.read(f"{who}: validation", beside, len(sequences), sequences=names, names=columns)
        return replace(judges, static=rows)

    def decide(self, options: SequenceOptions, data: TrainingData, start: Start) -> dict[str, Any]:
        """Return what the recipe says; a network that goes on is what it was."""
        if start.fitted is None:
            return recipe.decided(options, recipe.Facts.of(data.given, data.target))
        kept, training = (start.fitted.manifest[part] for part in ("params", "training"))
        decided = [name for name in recipe.DECIDED if name in kept and hasattr(options, name)]
        # Files of before 2026-12 name none; of those that have a window the recipe of steps decided all.
        named = training.get("decided", recipe.DECIDED_OF_TRAINING if kept.get("window") is not None else ())
        of_training = [name for name in recipe.DECIDED_OF_TRAINING if name in named]
        decided += recipe.left_to_data(options, of_training)
        return {name: kept[name] for name in decided if name in kept}

    def prepare(self, options: SequenceOptions, data: TrainingData, start: Start) -> Prepared:
        """Split, learn target and features from the part that trains, and describe network and model."""
        everything, fitted = data.given, start.fitted
        learn, judges = split(options, data, start.seed)
        if fitted is None:
            learned = self.reading.features(options, learn)
            target = data.target.fitted_on(learn.y, learn.weights)
        else:
            learned, target = Learned(fitted.features, facts=fitted.manifest.get("text")), data.target
        outputs = target.output_size
        loss = self.loss(options, target, class_weights(start.who, options, target, learn))
        manifest = begun(options, target, everything)
        if data.static is not None:
            manifest["static"] = _static(start, data.static, learn).to_manifest()
        manifest = manifest if self.reading.told is None else self.reading.told(options, learned, manifest)
        shape_only = FittedModel(manifest, learned.features, {})
        if fitted is not None:  # of other channels, perhaps; what features were learned from has been checked
            shape_only.check(learn)
        examples = as_examples(learn, target, shape_only.rows(learn), learned.features)
        validation = None
        if judges is not None:
            shape_only.check(judges)
            validation = as_examples(judges, target, shape_only.rows(judges), learned.features)

        linear = partial(_linear_part, options, start, shape_only, target)
        ahead = cache(partial(linear, everything)) if getattr(options, "wide", None) is True else None

        def model(members: Sequence[Member]) -> FittedModel:
            wide = None if ahead is None else ahead()
            if wide is not None and judges is not None and shares_by_judging(wide, target, judges):
                alone = _model(options, shape_only, members, start, {}, None)
                wide = with_best_share(wide, linear(learn), alone, judges)
            facts = training_facts(target, learn, examples.lengths.tolist())
            facts |= _decided(options, start, wide, len(members))
            return _model(options, shape_only, members, start, facts, wide)

        build = partial(
            build_network,
            options,
            start,
            sizes=(examples.input_size, outputs),
            longest=int(examples.lengths.max()),
            front=self.reading.front(options, learned),
            pooling="none" if target.per_step else manifest["params"]["pooling"],
            first_vectors=learned.first_vectors,
            static_size=0 if data.static is None else shape_only.static_size,
        )
        window = getattr(options, "window", None)
        return Prepared(
            examples=examples if window is None else examples.in_pieces(int(window)),
            validation=validation,
            build=build,
            loss=loss if options.network is None else judged(loss, outputs, who=start.who),
            score=lambda out, those: {target.score_name: target.score(out, those.targets, those.weights)},
            model=model,
            params=manifest["params"],
            members=max(int(options.members), 1 if fitted is None else count_of(fitted.manifest)),
            shared_generator=options.network is not None,
            ahead=ahead,
        )


def _linear_part(
    options: SequenceOptions, start: Start, shape_only: FittedModel, target: Target, given: Given
) -> WidePart:
    """Return the linear part learned from these sequences."""
    own = class_weights(start.who, options, target, given)
    each = given.weights if own is None else given.weights * own[np.asarray(given.y)]
    return fit_wide(start.seed, shape_only, given, target, each)


def _static(start: Start, static: StaticInputs, learn: Given) -> StaticInputs:
    """Return the static inputs as the part that trains makes them, or as the network that goes on has them."""
    if start.fitted is not None or learn.static is None:
        return static
    return static.fitted_on(start.who, learn.static, learn.weights)


def _decided(options: Any, start: Start, wide: WidePart | None, members: int) -> dict[str, Any]:
    """Return what a model file says of what was left to the data: which options, and a sentence."""
    said = (recipe.in_words(start.decided, wide), start.compared, _of_budget(options, members))
    sentence = " ".join(filter(None, said))
    found: dict[str, Any] = {"decided": sorted(start.decided)}
    return found | ({"recipe": sentence} if sentence else {})


def _of_budget(options: Any, members: int) -> str:
    """Return what a budget was spent on, in a sentence; empty without one."""
    seconds = getattr(options, "budget_s", None)
    if seconds is None:
        return ""
    return f"Within the budget of {seconds:g} s: {members} member{'s' if members > 1 else ''}."


def split(options: SequenceOptions, data: TrainingData, seed: int) -> tuple[Given, Given | None]:
    """Return the part to learn from and the part that decides early stopping, if there is one."""
    given, target = data.given, data.target
    if data.judges is not None:
        return given, data.judges
    parts = held_out(
        given.y if target.task == "classification" else len(given.sequences),
        given.contents,
        given.groups,
        fraction=options.validation_fraction,
        fewest_groups=FEWEST_GROUPS,
        seed=seed,
    )
    return (given, None) if parts is None else (given.take(parts[0]), given.take(parts[1]))


def build_network(
    options: SequenceOptions,
    start: Start,
    number: int,
    *,
    front: dict[str, Any] | None,
    sizes: tuple[int, int],
    pooling: str,
    longest: int,
    first_vectors: np.ndarray | None,
    static_size: int = 0,
) -> Any:
    """Return a network with its first weights, or those to go on from.

    Parameters
    ----------
    sizes : (int, int)
        Numbers a row has, and outputs.
    pooling : str
        See `NetworkConfig`.
    longest : int
        Rows of the longest training sequence.
    static_size : int
        How many of the numbers of a row, the last, are static inputs.
    """
    import torch

    from recurra.nn.layers.drop_in import DropIn
    from recurra.nn.networks.sequence_network import NetworkConfig, build, from_arrays

    fitted = start.fitted
    weights = {} if fitted is None else _weights_of(fitted, number)
    if options.network is not None:
        network = built(options.network, *sizes, seed=start.seed + number, who=start.who)
        if fitted is not None:
            network.load_state_dict({name: torch.from_numpy(a) for name, a in weights.items()})
    else:
        config = NetworkConfig(
            cell="rnn_relu" if options.initialization == "identity" else options.cell,
            input_size=sizes[0],
            hidden_size=int(options.hidden_size),
            output_size=sizes[1],
            num_layers=int(options.num_layers),
            bidirectional=bool(options.bidirectional),
            pooling=pooling,
            dropout=float(options.dropout),
            front=front,
            crf=bool(getattr(options, "crf", False)),
            static_size=static_size,
        )
        if fitted is not None:
            network = from_arrays(config, weights)
        else:  # chrono's shortest meaningful memory is three steps
            network = build(
                config,
                seed=start.seed + number,
                initialization=options.initialization,
                max_length=max(3, longest),
            )
        network.cut_after = options.tbptt if isinstance(options, Signals) else None
    if first_vectors is not None and fitted is None:
        with torch.no_grad():
            network.front.words.copy_(torch.from_numpy(first_vectors))
    memory = options.memory if isinstance(options, Scaling) else "auto"
    for layer in network.modules():
        if isinstance(layer, DropIn):  # in a network of the user's own, too
            layer.memory = memory
    return network


def _weights_of(model: FittedModel, number: int) -> dict[str, np.ndarray]:
    """Return the weights a member goes on from; one more than there were begins with those of the last."""
    count = count_of(model.manifest)
    return parted(model.weights, count)[min(number, count - 1)]


def _model(
    options: SequenceOptions,
    shape_only: FittedModel,
    members: Sequence[Member],
    start: Start,
    facts: dict[str, Any],
    wide: Any,
) -> FittedModel:
    """Turn the trained module into the fitted model."""
    first: Any = members[0].network
    own = options.network is not None
    manifest = {
        **shape_only.manifest,
        "network": None if own else first.config.to_dict(),
        **origin(start),
        "training": {**facts, **trained_members(members)},
    }
    if len(members) > 1:
        manifest["members"] = len(members)
    if getattr(options, "budget_s", None) is not None:  # as decided: given by hand they repeat the training
        manifest["params"] = {**manifest["params"], "members": len(members), "budget_s": None}
    modules = [member.network for member in members]
    run = OwnNetwork(modules, probabilities=shape_only.task != "regression") if own else None
    weights = joined([member.weights for member in members])
    return replace(shape_only, manifest=manifest, weights=weights, own_network=run, wide=wide)
