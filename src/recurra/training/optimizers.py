"""Optimizers by name or by class: torch's, in the variant that is fastest on the CPU."""

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.optim import optimizer as hooks

from recurra.checks import check_choice, check_number
from recurra.errors import UsageError
from recurra.kernels.dispatch import current, native_module
from recurra.nn.layers.autograd_bridge import DTYPES

# For a bidirectional LSTM of 100 units, one Adam step took 0.15 ms fused, 0.37 ms foreach, 0.42 ms as a plain
# loop (one core). RMSprop has no fused variant. Plain SGD hardly trains a recurrent network, so momentum is
# on, as in MATLAB's sgdm.
NAMED: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"fused": True, "momentum": 0.9}),
    "rmsprop": (torch.optim.RMSprop, {"foreach": True}),
}

# Methods of torch's optimizers that are wrapped for torch.compile.
WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def without_wrappers(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """Return the same optimizer without what torch wraps around its methods for compiling and for its profiler.

    The first call of a method wrapped for ``torch.compile`` imports ``torch._dynamo``: two to three seconds of a run that
    compiles nothing. The profiler's mark around every step takes longer than the fused step of a small network. Hooks
    are called as ever; the arithmetic is the same function.
    """
    own_step = inspect.unwrap(kind.step)

    def plain(self: torch.optim.Optimizer, closure: Callable[[], float] | None = None) -> float | None:
        with torch.no_grad():
            if closure is None and isinstance(self, torch.optim.Adam) and _adam_together(self):
                return None
            return own_step(self, closure)

    marked = torch.optim.Optimizer.profile_hook_step(plain)

    def step(self: torch.optim.Optimizer, closure: Callable[[], float] | None = None) -> float | None:
        return marked(self, closure) if _has_hooks(self) else plain(self, closure)

    # torch puts its mark on the class of every new optimizer, unless the step says that it has one
    step.hooked = True  # type: ignore[attr-defined]
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in WRAPPED}
    return type(kind.__name__, (kind,), {**methods, "step": step, "__module__": kind.__module__})


# What Adam keeps of every weight array: running means of its gradient and of its square, and the count of steps.
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def _has_hooks(optimizer: torch.optim.Optimizer) -> bool:
    own = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    return bool(own or hooks._global_optimizer_pre_hooks or hooks._global_optimizer_post_hooks)


def _adam_together(optimizer: torch.optim.Adam) -> bool:
    """Take a step of Adam in one native call with one count of steps; return False where torch has to take it.

    torch's fused operation makes a parallel region of every array, however small, and each waits for the other thread: on
    a machine whose cores are busy that was four tenths of a training. Around it torch sorts the arrays at every step,
    and counts the steps of each on its own.
    """
    first, *others = optimizer.param_groups
    parameters = first["params"]
    states, gradients = [optimizer.state.get(p, {}) for p in parameters], [p.grad for p in parameters]
    usual = first["fused"] and not first["amsgrad"] and getattr(optimizer, "grad_scale", None) is None
    # torch makes the states at the first step
    ours = usual and not others and all(states) and current() == "native"
    if not ours or not _in_rows(parameters, gradients, states):
        return False
    counts = _counts(optimizer, states)
    if (counts != counts[0]).any():
        return False
    # Not by torch: its way to an operation takes longer than the step of a small array.
    counts += 1
    steps, lr, decay = float(counts[0]), float(first["lr"]), float(first["weight_decay"])
    (beta1, beta2), decoupled = map(float, first["betas"]), first["decoupled_weight_decay"]
    arrays = [*parameters, *gradients, *[s["exp_avg"] for s in states], *[s["exp_avg_sq"] for s in states]]
    native_module().adam(
        parameters[0].dtype is torch.float64,
        [array.data_ptr() for array in arrays],
        [p.numel() for p in parameters],
        [
            -1.0 if first["maximize"] else 1.0,
            1.0 - lr * decay if decoupled else 1.0,
            0.0 if decoupled else decay,
            1.0 - beta1,
            1.0 - beta2,
            beta2,
            lr / (1.0 - beta1**steps),
            math.sqrt(1.0 - beta2**steps),
            float(first["eps"]),
        ],
        torch.get_num_threads(),
    )
    # A graph that still needs the weights as they were shall notice.
    torch.autograd.graph.increment_version(parameters)
    return True


def _counts(optimizer: torch.optim.Adam, states: list[dict[str, Any]]) -> np.ndarray:
    """Return how many steps each parameter has taken: one array, whose numbers are what the states hold."""
    held = [state["step"] for state in states]
    views, counts = getattr(optimizer, "_step_counts", ([], np.zeros(0)))
    if len(views) != len(held) or any(one is not other for one, other in zip(views, held, strict=True)):
        together = torch.stack([one.detach().cpu() for one in held])
        views, counts = list(together.unbind()), together.numpy()
        for state, view in zip(states, views, strict=True):
            state["step"] = view
        # No option of torch: kept beside the states, and checked against them above at every step.
        optimizer._step_counts = (views, counts)  # type: ignore[attr-defined]
    return counts


def _in_rows(
    parameters: list[torch.nn.Parameter], gradients: list[torch.Tensor | None], states: list[dict[str, Any]]
) -> bool:
    """Return whether the numbers of all arrays lie in memory one after another, of one dtype."""
    dtype = parameters[0].dtype
    if dtype not in DTYPES:
        return False
    for p, g, state in zip(parameters, gradients, states, strict=True):
        if g is None or g.layout is not torch.strided:
            return False
        for array in (p, g, state["exp_avg"], state["exp_avg_sq"]):
            usual = array.dtype is dtype and array.is_cpu and array.is_contiguous()
            if not usual or array.shape != p.shape:
                return False
    return True


def check_optimizer(optimizer: Any, *, weight_decay: float) -> None:
    """Raise UsageError unless `make_optimizer` can build this one."""
    who = "TrainingConfig"
    check_number(who, "weight_decay", weight_decay, low=0)
    if not isinstance(optimizer, type):
        check_choice(who, "optimizer", optimizer, list(NAMED))
        return
    if not issubclass(optimizer, torch.optim.Optimizer):
        raise UsageError(
            f"{who}: optimizer must be one of {', '.join(map(repr, NAMED))} or a subclass of "
            f"torch.optim.Optimizer; "
            f"got the class {optimizer.__name__}."
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise UsageError(
            f"{who}: optimizer {optimizer.__name__} evaluates the loss several times a step (its step needs "
            f"a closure), "
            "which this loop does not do. Choose one that does not, such as 'adam'."
        )
    if weight_decay and "weight_decay" not in inspect.signature(optimizer).parameters:
        raise UsageError(
            f"{who}: optimizer {optimizer.__name__} takes no weight_decay; got {weight_decay!r}. Set "
            f"weight_decay=0."
        )


def make_optimizer(
    optimizer: str | type[torch.optim.Optimizer],
    parameters: Iterable[torch.nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Build an optimizer over the parameters that are trained.

    Parameters
    ----------
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or class
        A class is called with ``lr`` and, unless it is 0, ``weight_decay``.
    parameters : iterable of Parameter
        Those with ``requires_grad`` off are left out.
    learning_rate, weight_decay : float
        As in `recurra.training.config.TrainingConfig`.

    Raises
    ------
    UsageError
        If no parameter is left to train.
    """
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        raise UsageError(
            "train: the network has no parameter to train; every one is frozen or there is none."
        )
    if isinstance(optimizer, type):
        options: dict[str, Any] = {"weight_decay": weight_decay} if weight_decay else {}
        make: Any = optimizer
    else:
        kind, named = NAMED[optimizer]
        make = without_wrappers(kind)
        options = {**named, "weight_decay": weight_decay}
    return make(trained, lr=learning_rate, **options)


def check_state(optimizer: torch.optim.Optimizer, kind: str | type[torch.optim.Optimizer]) -> None:
    """Raise ValueError unless a state that was loaded fits the weights; ``kind`` as in `make_optimizer`."""
    for parameter, state in optimizer.state.items():
        if kind in ("adam", "adamw") and not set(MOMENTS) <= set(state):
            raise ValueError("the optimizer's state lacks some of its parts")
        for name, value in state.items():
            # a single number where one for every weight belongs would be read past its end
            single = name == "step" or isinstance(kind, type)
            if (
                isinstance(value, torch.Tensor)
                and value.shape != parameter.shape
                and not (single and value.ndim == 0)
            ):
                raise ValueError("the optimizer's state has other shapes than the weights")


def gradients_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the gradients there are, in the order of the parameters."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return [g for p in parameters if (g := p.grad) is not None]


def global_norm(gradients: list[torch.Tensor]) -> float:
    """Return the Euclidean norm of all gradients together; NaN or infinite if any entry is."""
    return math.hypot(*(norm.item() for norm in torch._foreach_norm(gradients)))


def clip(gradients: list[torch.Tensor], *, norm: float, grad_clip: float | None) -> bool:
    """Shrink gradients in place to a global norm of ``grad_clip``; return whether that was needed.

    Same numbers as ``torch.nn.utils.clip_grad_norm_`` in a third of its time (0.03 against 0.10 ms for ten
    parameters), because it takes a norm that is known already and leaves short gradients alone.

    References
    ----------
    .. [1] Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013,
       arXiv:1211.5063.
    """
    if grad_clip is None or norm <= grad_clip:
        return False
    torch._foreach_mul_(gradients, grad_clip / (norm + 1e-6))  # 1e-6 as in torch
    return True
