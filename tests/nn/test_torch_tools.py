"""What torch does with modules and tensors, done with our layers and with torch's: the same numbers, or one sentence."""

import copy
import functools
import io
import pickle
import threading

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.masked import masked_tensor
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import recurra
from recurra.errors import UsageError
from recurra.nn import GRU, LSTM, RNN

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)
NAMES = ["LSTM", "GRU", "RNN"]
OPTIONS = {"num_layers": 2, "bidirectional": True, "batch_first": True}


class SubTensor(torch.Tensor):
    pass


class SubParameter(torch.nn.Parameter):
    pass


class Twice(torch.nn.Module):
    def forward(self, weight):
        return weight * 2


class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def flat(result):
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


def learned(module, x, layer=None):
    """Return output, states and every gradient."""
    layer = layer or module
    layer.zero_grad()
    x = x.detach().clone().requires_grad_()
    results = flat(module(x))
    sum((result.float() ** 2).sum() for result in results).backward()
    return [*results, x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]


def checkpointed(module, x, *, autocast=False, **words):
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        results = checkpoint(lambda x: tuple(flat(module(x))), x, **words)
    sum(result.float().sum() for result in results).backward()
    return [*results, x.grad, *(p.grad for p in module.parameters())]


def selectively_checkpointed(module, x):
    contexts = functools.partial(
        create_selective_checkpoint_contexts, lambda *_, **__: CheckpointPolicy.PREFER_RECOMPUTE
    )
    return checkpointed(module, x, use_reentrant=False, context_fn=contexts)


def saved(module, how):
    file = io.BytesIO()
    torch.save(module if how == "module" else module.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=how != "module")


def on_meta(module):
    return copy.deepcopy(module).to("meta")


def after(module, change, x):
    """Train after a change of the module, in place or not."""
    return learned(change(module) or module, x)


def normed(module):
    for name, _ in list(module.named_parameters()):
        if "weight" in name:
            parametrizations.weight_norm(module, name)


def pruned(module):
    prune.l1_unstructured(module, "weight_ih_l0", 0.5)


def old_weight_norm_taken_off(module):
    torch.nn.utils.weight_norm(module, "weight_hh_l0")
    module(torch.zeros(1, 2, 3))
    torch.nn.utils.remove_weight_norm(module, "weight_hh_l0")


def with_parameters_of_a_subclass(module):
    for name, p in list(module.named_parameters()):
        setattr(module, name, SubParameter(p.detach().clone()))


def with_buffers(module, x):
    for name, p in list(module.named_parameters()):
        value = p.detach().clone()
        delattr(module, name)
        setattr(module, name, torch.nn.Buffer(value))
    return flat(module(x))


def with_hooks(module, x):
    calls = []
    module.register_forward_pre_hook(lambda _, given: (given[0] * 2, *given[1:]))
    module.register_forward_hook(lambda _, given, result: (result[0] + 1, result[1]))
    module.weight_hh_l0.register_hook(lambda grad: grad * 3)
    module.bias_ih_l0.register_post_accumulate_grad_hook(lambda p: calls.append(p.grad.sum()))
    module.register_full_backward_pre_hook(lambda *_: calls.append(torch.ones(())))
    return [*learned(module, x), *calls]


def inference_then(module, x, *, what):
    with torch.inference_mode():
        y = x * 1.0
        states = module(x)[1]
        inside = copy.deepcopy(module)(x)
    if what == "input":
        return learned_from(module, y)
    if what == "frozen":
        return flat(module.requires_grad_(False)(y, states))
    if what == "module":
        return flat(inside)
    return [torch.ones(8) @ inside[0].clone().transpose(1, 2).requires_grad_()]


def learned_from(module, x):
    result = flat(module(x))
    sum(r.sum() for r in result).backward()
    return [*result, *(p.grad for p in module.parameters())]


def nested_autocast(module, x):
    with torch.autocast("cpu", torch.bfloat16):
        outer = flat(module(x))
        with torch.autocast("cpu", enabled=False):
            inner = flat(module(x))
            with torch.autocast("cpu", torch.bfloat16):
                again = flat(module(x))
    return [*outer, *inner, *again, *flat(module(x))]


def autocast_for_the_forward_pass(module, x):
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        results = flat(module(x))
    sum(result.float().sum() for result in results).backward()
    return [*results, x.grad, *(p.grad for p in module.parameters())]


def called_with(module, x, factor):
    weights = {name: (p.detach() * factor).requires_grad_() for name, p in module.named_parameters()}
    result = flat(torch.func.functional_call(module, weights, (x,)))
    return [*result, *torch.autograd.grad(sum(r.sum() for r in result), list(weights.values()))]


def gradient_given(module, x, make):
    x = x.clone().requires_grad_()
    output = module(x)[0]
    return torch.autograd.grad(output, [x, *module.parameters()], make(output))


def changed_in_place(module, x, change):
    output, states = module(x)
    change(output, states[0] if isinstance(states, tuple) else states)
    output.sum().backward()
    return [output, *(p.grad for p in module.parameters())]


def negated_state(module, x):
    state = torch._neg_view(torch.linspace(-1, 1, 32).reshape(4, 2, 4))
    return flat(module(x, (state, state) if isinstance(module, torch.nn.LSTM) else state))


def negated_weight(module, x):
    weights = {"weight_hh_l0": torch._neg_view(module.weight_hh_l0.detach())}
    return flat(torch.func.functional_call(module, weights, (x,)))


def retained(module, x):
    x = x.clone().requires_grad_()
    output = module(x)[0]
    first = torch.autograd.grad(output.sum(), x, retain_graph=True)[0]
    return [first, *torch.autograd.grad(output.pow(2).sum(), x)]


def in_threads(module, x):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(learned_from(copy.deepcopy(module), x)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [value for result in results for value in result]


def averaged(module, x):
    mean = torch.optim.swa_utils.AveragedModel(module)
    mean.update_parameters(module)
    return flat(mean(x))


def within(context):
    def run(module, x):
        with context():
            return learned(module, x)

    return run


def shapes(module, x):
    return [tuple(result.shape) for result in flat(module(x))]


def fake(module, x, *, inside):
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        given = mode.from_tensor(x)
        found = shapes(module, given) if inside else None
    return found or shapes(module, given)


TOOLS = {
    "deepcopy": lambda m, x: learned(copy.deepcopy(m), x),
    "pickle": lambda m, x: learned(pickle.loads(pickle.dumps(m)), x),
    "save, load of a module": lambda m, x: learned(saved(m, "module"), x),
    "state dict, assigned": lambda m, x: after(
        m, lambda m: m.load_state_dict(saved(m, ""), assign=True) and None, x
    ),
    "state dict in double, assigned": lambda m, x: after(
        m,
        lambda m: m.load_state_dict({k: v.double() for k, v in m.state_dict().items()}, assign=True) and None,
        x.double(),
    ),
    "meta, then assigned": lambda m, x: after(
        m, lambda m: [n := on_meta(m), n.load_state_dict(m.state_dict(), assign=True)][0], x
    ),
    "meta, then to_empty": lambda m, x: after(
        m, lambda m: [n := on_meta(m).to_empty(device="cpu"), n.load_state_dict(m.state_dict())][0], x
    ),
    "meta": lambda m, x: shapes(on_meta(m), x.to("meta")),
    "fake tensors inside of their mode": functools.partial(fake, inside=True),
    "fake tensors outside": functools.partial(fake, inside=False),
    "averaged": averaged,
    "shared memory": lambda m, x: after(m, lambda m: m.share_memory(), x),
    "bfloat16": lambda m, x: after(m, lambda m: m.bfloat16(), x.bfloat16()),
    "autocast": within(lambda: torch.autocast("cpu", torch.bfloat16)),
    "autocast, nested and off": nested_autocast,
    "autocast of the forward pass": autocast_for_the_forward_pass,
    "autocast of another device": within(lambda: torch.autocast("cuda", torch.bfloat16, enabled=False)),
    "checkpoint, reentrant": functools.partial(checkpointed, use_reentrant=True),
    "checkpoint": functools.partial(checkpointed, use_reentrant=False),
    "checkpoint under autocast": functools.partial(checkpointed, use_reentrant=False, autocast=True),
    "checkpoint, reentrant, under autocast": functools.partial(
        checkpointed, use_reentrant=True, autocast=True
    ),
    "checkpoint, selective": selectively_checkpointed,
    "weight norm": lambda m, x: after(m, normed, x),
    "orthogonal": lambda m, x: after(m, lambda m: parametrizations.orthogonal(m, "weight_hh_l0"), x),
    "any parametrization": lambda m, x: after(
        m, lambda m: parametrize.register_parametrization(m, "weight_hh_l0", Twice()), x
    ),
    "old weight norm": lambda m, x: after(m, lambda m: torch.nn.utils.weight_norm(m, "weight_hh_l0"), x),
    "old weight norm, taken off": lambda m, x: after(m, old_weight_norm_taken_off, x),
    "pruned": lambda m, x: after(m, pruned, x),
    "parameters of a subclass": lambda m, x: after(m, with_parameters_of_a_subclass, x),
    "buffers": with_buffers,
    "input of a subclass": lambda m, x: flat(m(x.as_subclass(SubTensor))),
    "input that is a buffer": lambda m, x: flat(m(torch.nn.Buffer(x))),
    "input that is a parameter": lambda m, x: learned_from(m, torch.nn.Parameter(x)),
    "hooks": with_hooks,
    "saved on the processor": within(torch.autograd.graph.save_on_cpu),
    "no hooks on saved tensors": within(lambda: torch.autograd.graph.disable_saved_tensors_hooks("no")),
    "anomaly detection": within(torch.autograd.detect_anomaly),
    "a mode of torch": within(Watching),
    "functional_call": functools.partial(called_with, factor=2),
    "inference mode, then trained on its tensor": functools.partial(inference_then, what="input"),
    "inference mode, then frozen": functools.partial(inference_then, what="frozen"),
    "inference mode, a copy made in it": functools.partial(inference_then, what="module"),
    "inference mode, output used later": functools.partial(inference_then, what="output"),
    "negated input": lambda m, x: flat(m(torch._neg_view(x))),
    "negated state": negated_state,
    "negated weight": negated_weight,
    "input that is zero without memory": lambda m, x: flat(m(torch._efficientzerotensor(x.shape))),
    "gradient given, negated": functools.partial(
        gradient_given, make=lambda o: torch._neg_view(torch.ones_like(o))
    ),
    "gradient given, zero without memory": functools.partial(
        gradient_given, make=lambda o: torch._efficientzerotensor(o.shape)
    ),
    "gradient given, expanded": functools.partial(gradient_given, make=lambda o: torch.ones(1).expand_as(o)),
    "output changed in place": functools.partial(changed_in_place, change=lambda output, _: output.relu_()),
    "output and state changed in place": functools.partial(
        changed_in_place,
        change=lambda output, state: (state.mul_(2), torch.nn.functional.dropout(output, 0.0, inplace=True)),
    ),
    "retained graph": retained,
    "Python threads": in_threads,
    "some weights frozen": lambda m, x: after(
        m, lambda m: m.requires_grad_(False).bias_hh_l1_reverse.requires_grad_(True) is None or None, x
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tool", TOOLS)
def test_as_torch(tool, name):
    torch.manual_seed(0)
    plain = getattr(torch.nn, name)(3, 4, **OPTIONS)
    ours = copy.deepcopy(plain)
    recurra.accelerate(ours)
    x = torch.randn(2, 5, 3)
    results = []
    for layer in (plain, ours):
        torch.manual_seed(1)
        results.append(TOOLS[tool](layer, x))
    assert len(results[0]) == len(results[1])
    for expected, found in zip(*results, strict=True):
        if isinstance(expected, tuple):
            assert found == expected
            continue
        assert (type(found), found.dtype, found.requires_grad) == (
            type(expected),
            expected.dtype,
            expected.requires_grad,
        )
        loose = (
            {"rtol": 5e-2, "atol": 5e-2}
            if "bfloat16" in tool or "autocast" in tool
            else {"rtol": 1e-4, "atol": 1e-5}
        )
        torch.testing.assert_close(found, expected, **loose)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda x: torch.nested.nested_tensor([x[0], x[1, :3]]),
            "got a nested tensor. Pass recurra.nn.to_ragged(list(",
        ),
        (
            lambda x: torch.nested.nested_tensor([x[0], x[1, :3]], layout=torch.jagged),
            "input must be a padded tensor with lengths=, or ragged; got a nested tensor",
        ),
        (
            lambda x: x.to_sparse(),
            "must be a dense tensor; got the layout torch.sparse_coo. Convert it with input.to_dense()",
        ),
        (lambda x: x[0].to_sparse_csr(), "got the layout torch.sparse_csr"),
        (lambda x: x.to_mkldnn(), "got the layout torch._mkldnn"),
        (
            lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
            "must have the dtype of the weights, torch.float32",
        ),
        (lambda x: masked_tensor(x, x > -10), "input must be a tensor without a mask; got a MaskedTensor"),
        (lambda x: x.numpy(), "input must be a Tensor, PackedSequence or Ragged; got ndarray"),
    ],
)
def test_tensors_that_are_no_plain_arrays_are_refused(name, make, words):
    layer = getattr(recurra.nn, name)(3, 4, batch_first=True)
    with pytest.raises(UsageError) as caught:
        layer(make(torch.randn(2, 5, 3)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_advice_for_nested_tensors_works():
    layer, x = LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)
    nested = torch.nested.nested_tensor([x[0], x[1, :3]])
    found = layer(recurra.nn.to_ragged(list(nested.unbind())))[0].values
    torch.testing.assert_close(found[:5], layer(x[:1])[0][0])
    torch.testing.assert_close(found[5:], layer(x[1:, :3])[0][0])


def compiled(module, **words):
    return torch.compile(module, backend="aot_eager", **words)


def state_assigned(model):
    ours = compiled(model)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    again = compiled(other)
    again(torch.zeros(1, 2, 3))
    again.load_state_dict({k: v.clone() for k, v in ours.state_dict().items()}, assign=True)
    return again


def compiled_in_place(model):
    model[0].compile(backend="aot_eager")
    model(torch.zeros(1, 2, 3))
    return model


def first_run(model):
    model(torch.zeros(1, 2, 3))
    return model


COMPILED = {
    "deepcopy": lambda m: copy.deepcopy(first_run(compiled(m))),
    "deepcopy of the module": lambda m: compiled(copy.deepcopy(first_run(compiled(m))._orig_mod)),
    "pickle": lambda m: pickle.loads(pickle.dumps(first_run(compiled(m)))),
    "save, load": lambda m: saved(first_run(compiled(m)), "module"),
    "state dict, assigned": state_assigned,
    "a layer compiled in place, deepcopy": lambda m: copy.deepcopy(compiled_in_place(m)),
    "a layer compiled in place, pickle": lambda m: pickle.loads(pickle.dumps(compiled_in_place(m))),
    "accelerated afterwards": lambda m: [
        recurra.decelerate(m),
        c := first_run(compiled(m)),
        recurra.accelerate(c),
    ][1],
    "decelerated afterwards": lambda m: [c := first_run(compiled(m)), recurra.decelerate(c)][0],
}


@pytest.mark.parametrize("tool", COMPILED)
def test_compiled(tool):
    """A copy has torch's values and gradients, and weights of its own."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.GRU(3, 4, batch_first=True))
    recurra.accelerate(model)
    assert isinstance(model[0], GRU)
    x = torch.randn(2, 5, 3)
    expected = learned(copy.deepcopy(model), x)
    other = COMPILED[tool](model)
    found = learned(other, x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    if "afterwards" in tool:
        return
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    assert not other(x)[0].any()
    torch.testing.assert_close(model(x)[0], expected[0])


def test_compiled_tools_of_autocast_checkpoint_and_inference():
    torch._dynamo.reset()
    torch.manual_seed(0)
    plain, x = torch.nn.RNN(3, 4, batch_first=True), torch.randn(2, 5, 3)
    ours = copy.deepcopy(plain)
    recurra.accelerate(ours)

    def nested(layer):
        def run(x):
            with torch.autocast("cpu", torch.bfloat16):
                outer, _ = layer(x)
                with torch.autocast("cpu", enabled=False):
                    return layer(x)[0] + outer.float(), outer

        return run

    again = compiled(ours)
    for a, b in zip(learned(compiled(nested(ours)), x, ours), learned(nested(plain), x, plain), strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=5e-2, atol=5e-2)
    for words in ({"use_reentrant": True}, {"use_reentrant": False}):
        found = learned(lambda x, words=words: checkpoint(again, x, **words), x, ours)
        for a, b in zip(found, learned(plain, x), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    with torch.inference_mode():
        torch.testing.assert_close(again(x)[0], plain(x)[0], rtol=1e-4, atol=1e-5)
    for a, b in zip(learned(again, x, ours), learned(plain, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "words", [{}, {"static_graph": True, "gradient_as_bucket_view": True}, {"find_unused_parameters": True}]
)
def test_distributed_wrappers(tmp_path, words):
    layer, x = RNN(3, 4, batch_first=True), torch.randn(2, 5, 3)
    expected = learned(layer, x)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1
    )
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(torch.nn.Sequential(layer), **words)
        for _ in range(2):
            for a, b in zip(learned(parallel, x), expected, strict=True):
                torch.testing.assert_close(a, b)
        assert recurra.decelerate(parallel).turned == ["module.0"]
        assert recurra.accelerate(parallel).turned == ["module.0"]
        for a, b in zip(learned(parallel, x), expected, strict=True):
            torch.testing.assert_close(a, b)
    finally:
        torch.distributed.destroy_process_group()
