import copy
import os
import subprocess
import sys
import types

import pytest
import torch

import oracles
import recurra
from recurra.errors import UsageError
from recurra.training import optimizers
from recurra.training.optimizers import NAMED, clip, global_norm, make_optimizer

PLAIN = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, foreach=False),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, foreach=False),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.9, foreach=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, weight_decay=0.1, foreach=False),
}


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*s, generator=generator)) for s in [(5, 7), (7,), (33, 3)]]


def gradients(scale):
    generator = torch.Generator().manual_seed(1)
    return [scale * torch.randn(p.shape, generator=generator) for p in parameters()]


@pytest.mark.parametrize("name", list(NAMED))
def test_named_optimizers_agree_with_torchs_plain_loop(name):
    ours, theirs = parameters(), parameters()
    one = make_optimizer(name, ours, learning_rate=0.01, weight_decay=0.1)
    other = PLAIN[name](theirs)
    for _ in range(5):
        for p, q, g in zip(ours, theirs, gradients(1.0), strict=True):
            p.grad, q.grad = g.clone(), g.clone()
        one.step()
        other.step()
    for p, q, start in zip(ours, theirs, parameters(), strict=True):
        torch.testing.assert_close(p, q)
        assert not torch.equal(p, start)


def steps(optimizer, parameters, count, *, without=None):
    for at in range(count):
        for index, (p, g) in enumerate(zip(parameters, gradients(1.0 + at), strict=True)):
            p.grad = None if index == without else g.clone()
        optimizer.step()


@pytest.mark.parametrize(("name", "torchs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_agrees_with_torchs_fused_one_through_all_that_may_happen(name, torchs):
    ours, theirs = parameters(), parameters()
    one = make_optimizer(name, ours, learning_rate=0.01, weight_decay=0.1)
    other = torchs(theirs, lr=0.01, weight_decay=0.1, fused=True)
    for optimizer, params in ((one, ours), (other, theirs)):
        steps(optimizer, params, 3)
        steps(optimizer, params, 2, without=1)  # the counts of steps now differ
        steps(optimizer, params, 2)
        optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"] = 0.1, (0.8, 0.9)
        steps(optimizer, params, 2)
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        steps(optimizer, params, 2)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        for key, value in other.state[q].items():
            torch.testing.assert_close(one.state[p][key], value, rtol=1e-5, atol=1e-6)
    assert [float(one.state[p]["step"]) for p in ours] == [11, 9, 11]


def test_adam_counts_steps_apart_where_torch_goes_on_from_its_state():
    """After a step with a closure, which torch takes, and in an optimizer of torch's that took over the state."""
    ours, theirs = parameters(), parameters()
    one = make_optimizer("adam", ours, learning_rate=0.01, weight_decay=0.1)
    other = torch.optim.Adam(theirs, lr=0.01, weight_decay=0.1, fused=True)
    for optimizer, params in ((one, ours), (other, theirs)):
        steps(optimizer, params, 3)
        optimizer.step(lambda: torch.tensor(0.0))
        steps(optimizer, params, 2)
    assert [float(one.state[p]["step"]) for p in ours] == [6, 6, 6]
    third = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    after = torch.optim.Adam(third, lr=0.01, weight_decay=0.1, fused=True)
    after.load_state_dict(copy.deepcopy(one.state_dict()))
    steps(after, third, 2)
    steps(one, ours, 2)
    steps(other, theirs, 2)
    for p, q, r in zip(ours, theirs, third, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(r, q, rtol=1e-5, atol=1e-6)
    assert [float(after.state[p]["step"]) for p in third] == [8, 8, 8]
    network, copied = copy.deepcopy((torch.nn.ParameterList(ours), one))
    steps(copied, list(network), 1)
    assert [float(one.state[p]["step"]) for p in ours] == [8, 8, 8]
    assert [float(copied.state[p]["step"]) for p in network] == [9, 9, 9]


@oracles.needs_native
def test_two_parameters_over_one_memory_are_changed_one_after_the_other():
    def trained(threads):
        first = torch.nn.Parameter(torch.randn(300, 400, generator=torch.Generator().manual_seed(0)))
        second = torch.nn.Parameter(torch.zeros(0))
        second.data = first.data[10:]  # a part of it
        optimizer = make_optimizer("adam", [first, second], learning_rate=0.01, weight_decay=0.1)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            for at in range(20):
                for index, one in enumerate((first, second)):
                    generator = torch.Generator().manual_seed(2 * at + index)
                    one.grad = torch.randn(one.shape, generator=generator)
                optimizer.step()
        finally:
            torch.set_num_threads(before)
        return first.detach()

    assert torch.equal(trained(1), trained(2))


WIDE = """
import hashlib, torch
from recurra.training.optimizers import make_optimizer
torch.manual_seed(0)
found = hashlib.sha256()
for dtype in (torch.float32, torch.float64):
    weights = [torch.nn.Parameter(torch.randn(s, dtype=dtype)) for s in [(300, 401), (7,), (), (0,), (33, 3)]]
    optimizer = make_optimizer("adamw", weights, learning_rate=0.01, weight_decay=0.1)
    optimizer.param_groups[0]["maximize"] = True
    theirs = [torch.nn.Parameter(w.detach().clone()) for w in weights]
    other = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1, maximize=True, foreach=False)
    for at in range(4):
        for p, q in zip(weights, theirs, strict=True):
            p.grad = torch.randn_like(p) * 10.0 ** (at - 3)
            q.grad = p.grad.clone()
        torch.set_num_threads(1 + at % THREADS)
        optimizer.step()
        other.step()
    for p, q in zip(weights, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        found.update(p.detach().numpy().tobytes())
print(found.hexdigest())
"""


@oracles.needs_native
def test_adam_gives_the_same_bits_on_every_instruction_set_and_any_number_of_threads():
    found = [
        subprocess.run(
            [sys.executable, "-c", WIDE.replace("THREADS", threads)],
            env={**os.environ, "RECURRA_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for isa in recurra.kernels.describe()["isas"]
        for threads in ("1", "2")
    ]
    assert len(found[0]) == 65
    assert set(found) == {found[0]}


@oracles.needs_native
def test_a_step_of_adam_is_one_native_call_that_a_graph_notices(monkeypatch):
    calls = []
    real = optimizers.native_module().adam
    monkeypatch.setattr(
        optimizers,
        "native_module",
        lambda: types.SimpleNamespace(adam=lambda *a: calls.append(1) or real(*a)),
    )
    weights = parameters()
    optimizer = make_optimizer("adam", weights, learning_rate=0.01, weight_decay=0.0)
    steps(optimizer, weights, 3)
    assert len(calls) == 2  # torch takes the first, which makes the states
    loss = (weights[0] ** 2).sum()
    steps(optimizer, weights, 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    with recurra.kernels.use("reference"):
        steps(optimizer, weights, 1)
    turned = [
        torch.nn.Parameter(torch.ones(3, 5).t()),
        torch.nn.Parameter(torch.ones(3, dtype=torch.float64)),
    ]
    for one in turned:
        other = make_optimizer("adam", [one], learning_rate=0.01, weight_decay=0.0)
        for _ in range(2):
            one.grad = torch.ones_like(one)
            other.step()
    assert len(calls) == 4


def test_adam_notices_what_lies_elsewhere_now():
    ours, theirs = parameters(), parameters()
    one = make_optimizer("adam", ours, learning_rate=0.01, weight_decay=0.0)
    other = torch.optim.Adam(theirs, lr=0.01, foreach=False)
    for optimizer, params in ((one, ours), (other, theirs)):
        steps(optimizer, params, 3)
        params[0].data = params[0].data.clone()
        steps(optimizer, params, 2)
        optimizer.state[params[1]]["exp_avg"] = torch.zeros_like(params[1])
        steps(optimizer, params, 2)
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(3))]})
        steps(optimizer, params, 2)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("changed", ["a state is gone", "amsgrad", "foreach"])
def test_adam_leaves_to_torch_what_is_not_as_it_was_made(name, changed):
    ours, theirs = parameters(), parameters()
    one = make_optimizer(name, ours, learning_rate=0.01, weight_decay=0.1)
    other = PLAIN[name](theirs)
    for optimizer, params in ((one, ours), (other, theirs)):
        steps(optimizer, params, 3)
        if changed == "a state is gone":
            optimizer.state.pop(params[1])
        elif changed == "amsgrad":
            optimizer.param_groups[0]["amsgrad"] = True
            for p in params:
                optimizer.state[p]["max_exp_avg_sq"] = torch.full_like(p, 100.0)
        else:
            optimizer.param_groups[0] |= {"fused": None, "foreach": True}
        steps(optimizer, params, 3)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert set(one.state[p]) == set(other.state[q])


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_clipping_agrees_with_torch(scale):
    ours, theirs = gradients(scale), parameters()
    for p, g in zip(theirs, gradients(scale), strict=True):
        p.grad = g
    expected = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    norm = global_norm(ours)
    clipped = clip(ours, norm=norm, grad_clip=1.0)
    assert norm == pytest.approx(float(expected), rel=1e-6)
    assert clipped == (norm > 1)
    for g, p in zip(ours, theirs, strict=True):
        torch.testing.assert_close(g, p.grad)


def test_without_a_limit_nothing_is_clipped():
    ours = gradients(100.0)
    assert not clip(ours, norm=global_norm(ours), grad_clip=None)
    assert all(torch.equal(a, b) for a, b in zip(ours, gradients(100.0), strict=True))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_norm_shows_a_single_bad_entry(bad):
    ours = gradients(1.0)
    ours[2][30, 1] = bad
    assert not torch.isfinite(torch.tensor(global_norm(ours)))


def test_a_network_without_anything_to_train_is_refused():
    frozen = parameters()
    for p in frozen:
        p.requires_grad_(False)
    with pytest.raises(UsageError, match="no parameter to train"):
        make_optimizer("adam", frozen, learning_rate=0.1, weight_decay=0.0)


def test_training_does_not_import_the_compiler():
    # two to three seconds of every run that compiles nothing
    program = (
        "import sys, numpy as np, recurra\n"
        "X = [np.ones((3, 1)), np.zeros((4, 1))] * 4\n"
        "clf = recurra.SequenceClassifier(hidden_size=2, max_epochs=2, verbose=0, random_state=0)\n"
        "clf.fit(X, [0, 1] * 4).predict(X)\n"
        "print([name for name in ('sympy', 'torch._dynamo', 'torch._inductor') if name in sys.modules])\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_hook_of_a_users_callback_is_called():
    ours, seen = parameters(), []
    optimizer = make_optimizer("adam", ours, learning_rate=0.01, weight_decay=0.0)
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    for p, g in zip(ours, gradients(1.0), strict=True):
        p.grad = g
    optimizer.step()
    assert seen == [1]


def test_decoupling_is_read_from_the_group_as_torch_reads_it():
    ours, theirs = parameters(), parameters()
    one = make_optimizer("adam", ours, learning_rate=0.1, weight_decay=0.3)
    other = torch.optim.Adam(theirs, lr=0.1, weight_decay=0.3, foreach=False)
    for optimizer, params in ((one, ours), (other, theirs)):
        steps(optimizer, params, 2)
        optimizer.param_groups[0]["decoupled_weight_decay"] = True
        steps(optimizer, params, 2)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_a_state_that_was_looked_at_before_the_first_step_does_no_harm():
    ours = parameters()
    optimizer = make_optimizer("adam", ours, learning_rate=0.01, weight_decay=0.0)
    assert [optimizer.state[p] for p in ours] == [{}, {}, {}]
    steps(optimizer, ours, 2)
    assert [float(optimizer.state[p]["step"]) for p in ours] == [2, 2, 2]
