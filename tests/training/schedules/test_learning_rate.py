import itertools
import math
import warnings

import pytest
import torch

from recurra.errors import UsageError
from recurra.training.schedules.learning_rate import NAMED, Schedule


def torch_factors(make, n_steps):
    """Factors that a torch scheduler, stepped n times, gives to a learning rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(n_steps):
        factors.append(optimizer.param_groups[0]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer was not stepped
            scheduler.step()
    return factors


def our_factors(lr_schedule, *, steps_per_epoch, max_epochs):
    schedule = Schedule(lr_schedule, steps_per_epoch=steps_per_epoch, max_epochs=max_epochs)
    return [schedule.factor(epoch=e, batch=b) for e in range(max_epochs) for b in range(steps_per_epoch)]


oracle = torch.optim.lr_scheduler
PER_STEP = {
    "cosine": lambda n: lambda o: oracle.CosineAnnealingLR(o, T_max=n),
    "onecycle": lambda n: lambda o: oracle.OneCycleLR(o, max_lr=1.0, total_steps=n, cycle_momentum=False),
    "warmup": lambda n: (
        lambda o: oracle.LinearLR(
            o, start_factor=1 / max(1, round(0.1 * n)), total_iters=max(1, round(0.1 * n)) - 1
        )
    ),
}


@pytest.mark.parametrize("name", list(PER_STEP))
@pytest.mark.parametrize(("steps_per_epoch", "max_epochs"), [(7, 13), (1, 20), (50, 1), (10, 10)])
def test_schedules_by_step_agree_with_torch(name, steps_per_epoch, max_epochs):
    n = steps_per_epoch * max_epochs
    expected = torch_factors(PER_STEP[name](n), n - 1)
    ours = our_factors(name, steps_per_epoch=steps_per_epoch, max_epochs=max_epochs)
    assert ours[: n - 1] == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("options", [{"step_size": 3}, {"step_size": 4, "gamma": 0.5}])
def test_step_agrees_with_torch(options):
    expected = torch_factors(lambda o: oracle.StepLR(o, **options), 12)
    ours = our_factors({"name": "step", **options}, steps_per_epoch=2, max_epochs=12)
    assert ours[::2] == pytest.approx(expected)
    assert ours[1::2] == pytest.approx(expected)


def test_step_falls_twice_by_default():
    ours = our_factors("step", steps_per_epoch=1, max_epochs=30)
    assert sorted({round(f, 9) for f in ours}) == [0.01, 0.1, 1]


def test_plateau_agrees_with_torch():
    losses = [1, 0.5, 0.6, 0.6, 0.4, 0.4, 0.4, 0.4, 0.39999, 0.4, 0.4, 0.4, 0.1, 0.2, 0.2, 0.2, 0.2]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = oracle.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    ours = Schedule({"name": "plateau", "patience": 2}, steps_per_epoch=1, max_epochs=99)
    for epoch, loss in enumerate(losses):
        theirs.step(loss)
        ours.epoch_end(loss)
        assert ours.factor(epoch=epoch + 1, batch=0) == optimizer.param_groups[0]["lr"]
        resumed = Schedule({"name": "plateau", "patience": 2}, steps_per_epoch=1, max_epochs=99)
        resumed.restore(ours.state())
        ours = resumed
    assert ours.factor(epoch=99, batch=0) < 0.3


def test_warmup_then_cosine_ends_at_nothing():
    factors = our_factors(
        {"name": "warmup", "share": 0.2, "then": "cosine"}, steps_per_epoch=10, max_epochs=10
    )
    assert factors[:20] == pytest.approx([(i + 1) / 20 for i in range(20)])
    assert all(a >= b for a, b in itertools.pairwise(factors[20:]))
    assert factors[-1] < 0.001


@pytest.mark.parametrize("name", list(NAMED))
@pytest.mark.parametrize(("steps_per_epoch", "max_epochs"), [(1, 1), (2, 1), (1, 2), (3, 4)])
def test_every_factor_of_the_shortest_runs_is_a_number_from_0_to_1(name, steps_per_epoch, max_epochs):
    for factor in our_factors(name, steps_per_epoch=steps_per_epoch, max_epochs=max_epochs):
        assert math.isfinite(factor)
        assert 0 <= factor <= 1


def test_options_are_checked():
    with pytest.raises(UsageError, match="'step' has no option 'gama'.*Did you mean 'gamma'?"):
        Schedule({"name": "step", "gama": 0.1}, steps_per_epoch=1, max_epochs=1)
    with pytest.raises(UsageError, match="'constant' has no option 'gamma'; it has no options"):
        Schedule({"name": "constant", "gamma": 0.1}, steps_per_epoch=1, max_epochs=1)
    with pytest.raises(UsageError, match=r"option 'rise' must be a number in \(0, 1\); got 1\.5"):
        Schedule({"name": "onecycle", "rise": 1.5}, steps_per_epoch=1, max_epochs=1)
    with pytest.raises(UsageError, match="option 'then' must be one of"):
        Schedule({"name": "warmup", "then": "step"}, steps_per_epoch=1, max_epochs=1)
