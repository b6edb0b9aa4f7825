"""Optimizers by name or by class: torch's, in the variant that is fastest on the CPU; Adam steps in our kernels."""

import inspect
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import optimizer as hooks

from recurra.checks import check_choice, check_number
from recurra.errors import UsageError
from recurra.kernels.dispatch import current, native_module, threads

# For a bidirectional LSTM of 100 units, one Adam step took 0.15 ms fused, 0.37 ms foreach, 0.42 ms as a plain
# loop (one core). RMSprop has no fused variant. Plain SGD hardly trains a recurrent network, so momentum is
# on, as in MATLAB's sgdm.
NAMED: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"fused": True, "momentum": 0.9}),
    "rmsprop": (torch.optim.RMSprop, {"foreach": True}),
}

# Whether their weight decay passes by the moments.
ADAM = {torch.optim.Adam: False, torch.optim.AdamW: True}

# Methods of torch's optimizers that are wrapped for torch.compile.
WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def without_wrappers(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """Return the same optimizer without what torch wraps around its methods for compiling and for its profiler.

    The first call of a method wrapped for ``torch.compile`` imports ``torch._dynamo``: two to three seconds of a run that
    compiles nothing. The profiler's mark around every step takes longer than the fused step of a small network. Hooks
    are called as ever; the arithmetic is the same function, but for that of `_Adam`.
    """
    own_step = inspect.unwrap(kind.step)

    def plain(self: torch.optim.Optimizer, closure: Callable[[], float] | None = None) -> float | None:
        if kind in ADAM and closure is None:
            native = self.__dict__.get("_native")
            if native is None:
                native = self.__dict__["_native"] = _Adam(self, decoupled=ADAM[kind])
            if native.step(gradients_of(self)):
                return None
        with torch.no_grad():
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


class Arrays:
    """Tensors, and where they lie, for the kernels.

    Parameters
    ----------
    tensors : list of Tensor
    """

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        self.tensors = tensors
        self.native: Any = (
            None  # None where the kernels cannot go through each from its first number to its last
        )
        if current() == "native" and all(map(_is_dense, tensors)):
            addresses = [t.data_ptr() for t in tensors]
            self.native = native_module().Arrays(False, addresses, [t.numel() for t in tensors])

    def are(self, tensors: list[torch.Tensor]) -> bool:
        """Return whether these are the same tensors, and lie where they lay."""
        same = len(tensors) == len(self.tensors) and all(map(operator.is_, tensors, self.tensors))
        return same and self.native is not None and self.native.are(tensors, *WHERE)


# What tells where a tensor lies, and whether from its first number to its last.
WHERE = torch.Tensor.data_ptr, torch.Tensor.numel, torch.Tensor.is_contiguous
GRADIENT = operator.attrgetter("grad")


def gradients_of(optimizer: torch.optim.Optimizer) -> Arrays:
    """Return the gradients there are, in the order of the parameters."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return Arrays([g for p in parameters if (g := p.grad) is not None])


def _is_dense(tensor: torch.Tensor | None) -> bool:
    return bool(
        tensor is not None
        and tensor.is_cpu
        and tensor.dtype is torch.float32
        and tensor.layout is torch.strided
        and tensor.is_contiguous()
    )


class _Adam:
    """The steps of one optimizer in one call of the kernels each.

    The moments and counts stand in ``state`` as torch puts them there. For ten small arrays, gathering torch's lists and
    going through its operators takes longer than the arithmetic, which the kernels also spread over their threads.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, decoupled: bool) -> None:
        self._optimizer = optimizer
        self._decoupled = decoupled
        self._weights, self._moments = Arrays([]), Arrays([])

    def step(self, gradients: Arrays) -> bool:
        """Take a step with the gradients of all parameters.

        False, with nothing done, where torch's own step is needed: the first, or what the kernels do not do.
        """
        group, *others = self._optimizer.param_groups
        parameters, state = group["params"], self._optimizer.state
        if gradients.native is None or others or group["amsgrad"] or group["maximize"]:
            return False
        # in the order of the parameters, but for a state that was put together by hand
        if len(state) != len(parameters) or any(map(operator.is_not, state, parameters)):
            return False
        if any(map(operator.is_not, map(GRADIENT, parameters), gradients.tensors)):
            return False
        if not self._weights.are(parameters):
            self._weights = Arrays([*parameters])
        moments = [one.get(name) for one in state.values() for name in MOMENTS]
        if not self._moments.are(moments):
            self._moments = Arrays(moments)
        if self._weights.native is None or self._moments.native is None:
            return False
        beta1, beta2 = group["betas"]
        decoupled = group.get("decoupled_weight_decay", self._decoupled)
        done: bool = native_module().adam(
            self._weights.native, gradients.native, self._moments.native, group["lr"], beta1, beta2, group["eps"],
            group["weight_decay"], decoupled, threads(torch.get_num_threads()),
        )  # fmt: skip
        return done


def take_step(optimizer: torch.optim.Optimizer, gradients: Arrays) -> None:
    """Do what ``optimizer.step()`` does, with gradients of its parameters that have been looked at already."""
    native = optimizer.__dict__.get("_native")
    bypassed = "step" in optimizer.__dict__ or _has_hooks(optimizer)  # somebody wants the call itself
    if native is None or bypassed or not native.step(gradients):
        optimizer.step()


def _has_hooks(optimizer: torch.optim.Optimizer) -> bool:
    own = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    return bool(own or hooks._global_optimizer_pre_hooks or hooks._global_optimizer_post_hooks)


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


def global_norm(gradients: Arrays) -> float:
    """Return the Euclidean norm of all gradients together; NaN or infinite if any entry is."""
    if gradients.native is not None:
        norm: float = native_module().norm(gradients.native, threads(torch.get_num_threads()))
        return norm
    return math.hypot(*(norm.item() for norm in torch._foreach_norm(gradients.tensors)))


def clip(gradients: Arrays, *, norm: float, grad_clip: float | None) -> bool:
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
    torch._foreach_mul_(gradients.tensors, grad_clip / (norm + 1e-6))  # 1e-6 as in torch
    return True
