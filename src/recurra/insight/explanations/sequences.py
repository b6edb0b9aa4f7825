"""A look inside a fitted estimator: explanations, traces of gates and states, and how far gradients reach."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from recurra.checks import as_texts, as_token_lists, check_choice, check_number, check_torch
from recurra.errors import DataError, RecurraWarning, UsageError
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.traces import Trace, trace
from recurra.features.static import StaticInputs, one_row
from recurra.inputs.sequences import only_one, read_sequence
from recurra.insight.explanations.input_attribution import folded
from recurra.serving.inputs import Inputs, StaticRows
from recurra.serving.models.fitted_model import FittedModel
from recurra.serving.models.wide import Wide

if TYPE_CHECKING:
    from recurra.evaluation.explanations.gradient_flow import GradientFlow

METHODS = ("integrated_gradients", "occlusion", "gradient_times_input")
# Sequences that are enough to see how gradients travel.
FLOW_SEQUENCES = 32


class Fitted(Protocol):
    """What is used of a fitted estimator."""

    model_: FittedModel
    classes_: np.ndarray

    def torch_network(self, member: int = 0) -> Any:
        """Return the trained network as a module."""
        ...


def explain(
    estimator: Fitted,
    x: Any,
    *,
    method: str,
    target: Any,
    step: int | None,
    options: Mapping[str, Any],
    static: Any = None,
) -> Explanation:
    """Explain one prediction; see `SequenceEstimator.explain`."""
    model = estimator.model_
    who = type(estimator).__name__
    if not model.features.reads_numbers:
        raise UsageError(
            f"{who}: explain is for signals; which words a label of a word rests on is not told. trace(words) shows "
            "the states over a sentence, evaluate(X, y) which labels are mistaken for which."
        )
    check_choice(who, "method", method, METHODS)
    check_torch(f"{who}.explain")
    raw = read_sequence(estimator, x, what="explain")
    beside = model.static_rows(who, one_row(static), 1)
    inputs = Inputs([raw], static=beside)
    (prepared,), outputs = model.prepare(inputs), model.outputs(inputs)
    _check_step(who, model.per_step, step, len(raw))
    index = _predicted(model, inputs, step) if target is None else None
    if index is None:
        index = target_index(estimator, outputs if step is None else outputs[[step]], target)
    if model.wide is not None and method != "occlusion":
        warn_of_one_part(who, model.wide)
        model = model.of_network
    row = _row_of(model, step, len(raw), len(prepared))
    network = _whole_network(estimator)
    if getattr(network, "crf", None) is not None:
        network.crf = None  # what is explained are the scores of a step by itself
    if model.wide is not None:
        network = both_parts(network, model.wide, probabilities=model.task == "classification")
    network = medians(network, model)
    own = _own(method, prepared, raw, options, model.static)
    found = _method(method)(network, prepared, target=index, step=row, **own)
    found = in_units_of_y(
        model, found, index, answers=len(prepared) if model.per_step and step is None else 1
    )
    values, static = _parted(model, found.values, beside)
    return replace(
        found,
        values=folded(model.features, values, (len(raw), raw.shape[1])),
        static=static,
        input=raw,
        target=_named(estimator, model, index, outputs.shape[1]),
        channel_names=model.manifest["channel_names"],
        sample_rate_hz=model.manifest["sample_rate_hz"],
    )


def medians(network: Any, model: FittedModel) -> Any:
    """Return a module that answers the median of each number where the network answers quantiles, as `predict` does."""
    import torch

    if not model.quantiles:
        return network
    count = len(model.quantiles)
    at = float(np.interp(0.5, model.quantiles, np.arange(count)))
    low, high = int(np.floor(at)), int(np.ceil(at))

    class Medians(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, inputs: Any) -> torch.Tensor:
            outputs: torch.Tensor = self.network(inputs)
            each = outputs.reshape(len(outputs), -1, count).sort(dim=-1).values
            return torch.lerp(each[..., low], each[..., high], at - low)

    return Medians()


def in_units_of_y(model: FittedModel, found: Explanation, index: int, *, answers: int = 1) -> Explanation:
    """Return an explanation of a number in the units of y, as predictions are, not of what the network trains on.

    ``answers`` is of how many steps the numbers are added up.
    """
    target = model.manifest.get("target") or {}
    if model.task != "regression":
        return found
    spread, center = (float(np.ravel(target[word])[index]) for word in ("spread", "center"))
    details = dict(found.details)
    if "change" in details:
        details["change"] *= spread
    return replace(
        found,
        values=np.asarray(found.values) * spread,
        output=None if found.output is None else found.output * spread + answers * center,
        error=None if found.error is None else found.error * spread,
        details=details,
    )


def _named(estimator: Fitted, model: FittedModel, index: int, outputs: int) -> Any:
    """Return the class, or which of several numbers; None for the only number there is, which needs no name."""
    if model.task != "regression":
        return estimator.classes_.tolist()[index]
    return index if outputs > max(1, len(model.quantiles)) else None


def _predicted(model: FittedModel, inputs: Inputs, step: int | None) -> int | None:
    """Return the label of a step where labels are chosen together, else None."""
    if step is None or not (model.manifest["network"] or {}).get("crf"):
        return None
    classes: list[Any] = model.manifest["target"]["classes"]
    return classes.index(model.predict(inputs)[0].tolist()[step])


def _parted(
    model: FittedModel, values: np.ndarray, static: StaticRows | None
) -> tuple[np.ndarray, list[tuple[str, Any, float]]]:
    """Return the contributions of the channels, and name, value and contribution of each static input."""
    if model.static is None or static is None:
        return values, []
    first = values.shape[1] - model.static.size
    shares = model.static.summed(values[:, first:].sum(axis=0)).tolist()
    return values[:, :first], list(zip(model.static.names, static[0], shares, strict=True))


def _whole_network(estimator: Fitted) -> Any:
    """Return what answers as a module: the network, or the mean of its members."""
    model = estimator.model_
    if len(model.members) == 1:
        return estimator.torch_network()
    from recurra.nn.networks.sequence_network import MeanNetwork

    members = [estimator.torch_network(member) for member in range(len(model.members))]
    return MeanNetwork(members, probabilities=model.task != "regression")


def _row_of(model: FittedModel, step: int | None, steps: int, rows: int) -> int | None:
    """Return the row that stands for a step."""
    alignment = model.features.alignment
    if step is None or model.features.keeps_steps or alignment is None:
        return step
    return int(alignment.row_of(steps, rows)[step])


def _method(name: str) -> Callable[..., Explanation]:
    if name == "occlusion":
        from recurra.evaluation.explanations.occlusion import occlusion

        return occlusion
    if name == "gradient_times_input":
        from recurra.evaluation.explanations.gradients import gradient_times_input

        return gradient_times_input
    from recurra.evaluation.explanations.integrated_gradients import integrated_gradients

    return integrated_gradients


def _own(
    method: str,
    prepared: np.ndarray,
    raw: np.ndarray,
    options: Mapping[str, Any],
    static: StaticInputs | None,
) -> dict[str, Any]:
    """Return the options of a method, checked; a channel and its mask of missing values are left out together."""
    known = {"integrated_gradients": ("points",), "occlusion": ("window",), "gradient_times_input": ()}[
        method
    ]
    for word in options:
        if word not in known:
            words = f"its options are {', '.join(known)}" if known else "it has no options"
            raise UsageError(f"explain: method {method!r} has no option {word!r}; {words}.")
    own = dict(options)
    channels, width = raw.shape[1], prepared.shape[1] - (0 if static is None else static.size)
    if method == "occlusion" and len(prepared) != len(raw):
        own["channel_groups"] = [list(range(width))]
    elif method == "occlusion" and prepared.shape[1] != channels:
        own["channel_groups"] = [list(range(c, width, channels)) for c in range(channels)]
    if method == "occlusion" and static is not None:
        own["whole_groups"] = [[width + place for place in block] for block in static.blocks]
    return own


def _check_step(who: str, per_step: bool, step: int | None, steps: int) -> None:
    if step is None:
        return
    if not per_step:
        raise UsageError(f"{who}: step is for networks with an answer per time step; leave it out.")
    check_number(who, "step", step, integer=True, low=-steps, high=steps - 1)


def target_index(estimator: Fitted, outputs: np.ndarray, target: Any) -> int:
    """Return the output that is explained: of outputs (rows, outputs) the strongest class, or the first number."""
    if estimator.model_.task == "regression":
        count = outputs.shape[1] // max(1, len(estimator.model_.quantiles))
        number = str(0 if target is None else target)  # of the command line it is a text
        if not number.isdecimal() or int(number) >= count:
            raise UsageError(f"explain: target must be in 0..{count - 1}; got {target!r}.")
        return int(number)
    if target is None:
        return int(outputs.sum(axis=0).argmax())
    known = estimator.classes_.tolist()
    check_choice("explain", "target", target, known)
    return known.index(target)


def trace_of(estimator: Fitted, x: Any, *, name: str, static: Any = None) -> Trace:
    """Return every gate and state over one sequence; see `SequenceEstimator.trace`."""
    model = estimator.model_
    if model.manifest["network"] is None:
        raise UsageError(
            f"{type(estimator).__name__}: trace needs the estimator's own network; the states of a network= of "
            "your own are not known. Take them from its layers: torch_network() is the module."
        )
    beside = model.static_rows(type(estimator).__name__, one_row(static), 1)
    if not model.features.reads_numbers:
        return trace_words(estimator, x, name, beside)
    raw = read_sequence(estimator, x, what="trace")
    return trace_raw(model, raw, name, beside)


def trace_words(estimator: Any, x: Any, name: str, static: StaticRows | None = None) -> Trace:
    """Return every gate and state over one text, or one sentence given as a list of words; of the first member."""
    model, who = estimator.model_, type(estimator).__name__
    words: Any = model.features.steps[0]
    if words.level == "token":
        x = as_token_lists([only_one(x, f"{who}: trace takes one sentence", rank=1)], who=who)[0][0]
    else:
        x = as_texts([only_one(x, f"{who}: trace takes one text", rank=0)], who=who)[0][0]
    (rows,) = model.prepare(Inputs([x], static=static))
    return trace(model.manifest["network"], model.members[0], rows, name=name, words=words.tokens(x))


def trace_raw(model: FittedModel, raw: np.ndarray, name: str, static: StaticRows | None = None) -> Trace:
    """Return every gate and state over a raw sequence; where features give rows, over the rows; of the first member.

    ``static`` is the row of its static inputs.
    """
    (prepared,) = model.prepare(Inputs([raw], static=static))
    network, facts = model.manifest["network"], model.manifest
    if len(prepared) == len(raw):
        return trace(
            network,
            model.members[0],
            prepared,
            raw=raw,
            channel_names=facts["channel_names"],
            sample_rate_hz=facts["sample_rate_hz"],
            name=name,
        )
    alignment, rate = model.features.alignment, facts["sample_rate_hz"]
    rows_hz = rate / alignment.hop if rate is not None and alignment is not None else None
    return trace(network, model.members[0], prepared, sample_rate_hz=rows_hz, name=name)


def flow_of_language(estimator: Any, ids: np.ndarray, steps: int) -> "GradientFlow":
    """Return how far gradients reach in a network that foretells the next of these tokens, over stretches of so many."""
    check_torch(f"{type(estimator).__name__}.gradient_flow")
    import torch

    from recurra.evaluation.explanations.gradient_flow import gradient_flow

    if len(ids) < 2:
        raise DataError(
            f"{type(estimator).__name__}: gradient_flow needs a text of at least 2 tokens; got {len(ids)}."
        )
    rows = ids[:-1].astype(np.float32)[:, None]
    cuts = range(steps, len(rows), steps)
    stretches = np.split(rows, cuts)[:FLOW_SEQUENCES]
    targets = torch.from_numpy(np.concatenate(np.split(ids[1:], cuts)[:FLOW_SEQUENCES]))

    def loss(outputs: Any) -> Any:
        return torch.nn.functional.cross_entropy(outputs, targets)

    network = estimator.torch_network()
    return gradient_flow(network, stretches, loss, setting=_setting(estimator, network))


def flow_of(estimator: Fitted, inputs: Inputs, encoded: Any, loss: Callable[..., Any]) -> "GradientFlow":
    """Return how far gradients reach; see `SequenceEstimator.gradient_flow`."""
    import torch

    from recurra.evaluation.explanations.gradient_flow import gradient_flow

    prepared = estimator.model_.prepare(inputs.first(FLOW_SEQUENCES))
    few = encoded[:FLOW_SEQUENCES]
    if estimator.model_.per_step:
        alignment = estimator.model_.features.alignment
        if alignment is not None and not estimator.model_.features.keeps_steps:
            few = [own[alignment.middles(len(rows))] for own, rows in zip(few, prepared, strict=True)]
        flat = np.concatenate(few)
    else:
        flat = few
    targets = torch.from_numpy(np.ascontiguousarray(flat))
    network = estimator.torch_network()
    return gradient_flow(
        network, prepared, lambda outputs: loss(outputs, targets, None), setting=_setting(estimator, network)
    )


def _setting(estimator: Any, network: Any) -> Any:
    """Return what is known of the training of an estimator; None of a network of the user's own."""
    from recurra.nn.networks.hidden_gradients import Setting

    if not hasattr(network, "pooled"):
        return None
    known = estimator.model_.manifest["params"]
    setting = Setting.of(network, grad_clip=known.get("grad_clip"))
    return replace(setting, initialization=known.get("initialization"))


def both_parts(network: Any, wide: Wide, *, probabilities: bool) -> Any:
    """Return a module that answers as the whole model does; it has no gradients."""
    import torch

    class BothParts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, inputs: Any) -> torch.Tensor:
            outputs = self.network(inputs)
            rows = np.split(inputs.values.detach().cpu().numpy(), np.cumsum(inputs.lengths)[:-1])
            found = wide.mixed(outputs.detach().cpu().numpy(), rows, probabilities=probabilities)
            return torch.from_numpy(found).to(outputs)

    return BothParts()


def warn_of_one_part(who: str, wide: Wide) -> None:
    """Warn that gradients tell what the network sees, not the linear part, where that has a say."""
    if wide.share == 0:
        return
    warnings.warn(
        f"{who}.explain: gradients tell of the network, which has {100 * (1 - wide.share):.0f} % of the say beside the "
        "linear part; method='occlusion' asks both, and wide=False trains the network alone.",
        RecurraWarning,
        stacklevel=4,
    )
