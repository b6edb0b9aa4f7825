import math
import os
import signal
import threading

import pytest

from recurra.training.stopping import EarlyStopping, held_back_interrupt


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


def test_first_interrupt_waits_for_the_check_and_the_second_does_not():
    with held_back_interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.pending
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_and_other_threads_are_left_alone():
    def theirs(number, frame):
        return None

    before = signal.signal(signal.SIGINT, theirs)
    try:
        with held_back_interrupt():
            assert signal.getsignal(signal.SIGINT) is theirs
        assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, before)
    seen = []

    def work():
        with held_back_interrupt() as interrupt:
            seen.append(interrupt.pending)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
