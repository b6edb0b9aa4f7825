"""Signals that ask for an end come where they cut nothing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from recurra import interrupts
from recurra.interrupts import held_back_interrupt

ENDS = [s.name for s in interrupts.SIGNALS]


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
    assert seen == [None]


@pytest.fixture
def ending():
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does, for one test."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    for number in before:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
    interrupts.end_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ENDS)
def test_each_signal_is_held_back_and_named(ending, name):
    number = getattr(signal, name)
    with held_back_interrupt() as interrupt:
        os.kill(os.getpid(), number)
        assert interrupt.pending == number
        with pytest.raises(KeyboardInterrupt) as caught:
            interrupt.check()
        assert interrupts.number_of(caught.value) == number


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_what_follows_a_first_signal_cuts_nothing_but_ctrl_c_twice(ending, first, second):
    with held_back_interrupt() as interrupt:
        os.kill(os.getpid(), getattr(signal, first))
        if first == second == "SIGINT":
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        else:
            os.kill(os.getpid(), getattr(signal, second))
        assert interrupt.pending == getattr(signal, first)


@pytest.mark.parametrize("name", ENDS)
def test_while_waiting_nothing_is_held_back(ending, name):
    with held_back_interrupt() as interrupt:
        interrupt.at_once = True
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), getattr(signal, name))


def test_only_the_impatient_are_heard_late(ending, monkeypatch):
    monkeypatch.setattr(interrupts, "SECONDS_OF_ONE_EVENT", 0.0)
    with held_back_interrupt() as interrupt:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.pending == signal.SIGTERM
    interrupts.end_on_signals()
    for number in interrupts.SIGNALS[1:]:
        signal.signal(number, signal.SIG_DFL)
    interrupts.end_on_signals()
    with held_back_interrupt(patient=False):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.001)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_process_that_ends_hears_nothing_more(ending):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)


def test_two_signals_at_once_leave_no_trace_on_the_screen():
    """Python writes "Signal 15 ignored due to race condition" where a handler becomes SIG_IGN while a signal waits."""
    code = (
        "import os, signal, time\n"
        "from recurra import interrupts\n"
        "interrupts.end_on_signals()\n"
        "try:\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGHUP])\n"
        "    time.sleep(100)\n"
        "except KeyboardInterrupt:\n"
        "    print('ended')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("ended\n", "")


def test_what_nohup_ignores_stays_ignored():
    code = (
        "import signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from recurra import interrupts\n"
        "interrupts.end_on_signals()\n"
        "print(interrupts.is_ignored(signal.SIGHUP), interrupts.is_ignored(signal.SIGTERM))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_while_python_takes_itself_down_is_no_error(name):
    code = (
        "import atexit, os, signal, sys\n"
        f"atexit.register(lambda: os.kill(os.getpid(), signal.{name}))\n"
        "from recurra.cli.main import main\n"
        "sys.argv = ['recurra', 'look', 'no-such-file']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize("where", ["in_del", "in_callback"])
def test_a_signal_is_not_lost_where_python_drops_errors(name, where):
    code = (
        "import os, signal, time, weakref\n"
        "from recurra import interrupts\n"
        "class Thing:\n"
        "    def __del__(self):\n"
        f"        {where!r} == 'in_del' and os.kill(os.getpid(), signal.{name})\n"
        "interrupts.end_on_signals()\n"
        "thing = Thing()\n"
        f"dead = weakref.ref(thing, lambda _: {where!r} == 'in_callback' and os.kill(os.getpid(), signal.{name}))\n"
        "try:\n"
        "    del thing\n"
        "    time.sleep(100)\n"
        "except KeyboardInterrupt as error:\n"
        f"    print(interrupts.number_of(error) == signal.{name})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_signal_is_sent_anew_only_where_it_is_heard():
    """On a busy machine the thread that sends it is through before the main thread has left the hook."""
    code = (
        "import os, signal, threading, time\n"
        "from recurra import interrupts\n"
        "class Slow(threading.Thread):\n"
        "    def start(self):\n"
        "        super().start()\n"
        "        time.sleep(0.3)\n"
        "class Thing:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "interrupts.end_on_signals()\n"
        "threading.Thread = Slow\n"
        "thing = Thing()\n"
        "try:\n"
        "    del thing\n"
        "    time.sleep(100)\n"
        "except KeyboardInterrupt as error:\n"
        "    print(interrupts.number_of(error) == signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
