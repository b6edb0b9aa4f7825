import math

from recurra.training.schedules.stopping import EarlyStopping


def test_patience_counts_epochs_without_a_lower_loss():
    stopping = EarlyStopping(2)
    seen = [stopping.improved(loss, epoch=e + 1) for e, loss in enumerate([3, 2, 2, 1, math.nan])]
    assert seen == [True, True, False, True, False]
    assert not stopping.exhausted
    again = EarlyStopping(2)
    again.restore(stopping.state())
    again.improved(1.0, epoch=6)
    assert again.exhausted
    assert (again.best_loss, again.best_epoch) == (1, 4)


def test_without_patience_it_never_ends():
    stopping = EarlyStopping(None)
    for epoch in range(100):
        stopping.improved(1.0, epoch=epoch)
    assert not stopping.exhausted
