"""Parallel parts run on torch's own threads, wherever they are called from, and change no bit."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from recurra.kernels import native_calls
from recurra.kernels.dispatch import current, native_module

pytestmark = pytest.mark.skipif(current() != "native", reason="the compiled extension is not there")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="needs Linux's /proc to count threads"
)

HEAD = """
import ctypes, hashlib, os, sys, threading
import numpy as np
sys.path.insert(0, sys.argv[1])
from strategies import make_case
from recurra.kernels import native_calls as compiled
from recurra.kernels.dispatch import native_module
CASES = [
    make_case(cell, batch_lengths=lengths, input_size=20, hidden_size=size, dtype=np.float32)
    for cell in ("lstm", "gru", "rnn") for lengths, size in (([12, 3, 9, 12, 7, 5], 64), ([15], 150))
]
def digest(threads=(2, 5)):  # `alone` is of one thread
    found = set()
    for count in threads:
        for mode in (0, 1, 2):
            one = hashlib.sha256()
            for case in CASES:
                result = compiled.forward(
                    case.cell, case.x, lengths=case.lengths, directions=[case.layer()], states=[{}], save=True,
                    threads=count, mode=mode,
                )
                grads = compiled.backward(result[0], grad_h_n=None, saved=result[-1], threads=count, mode=mode)
                for array in (*result[:-1], *grads.values()):
                    one.update(np.ascontiguousarray(array).tobytes())
            found.add(one.hexdigest())
    assert len(found) == 1, found
    return found.pop()
def tasks():
    return len(os.listdir("/proc/self/task"))
"""

PLAIN = "print(native_module().thread_pool(), digest())"
BESIDE_TORCH = "import torch\n" + PLAIN

# both threads of somebody's region call at once
INSIDE = """
import torch
found = []
region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: found.append(digest()))
ctypes.CDLL(None).GOMP_parallel(region, None, 2, 0)
assert len(found) == 2 and len(set(found)) == 1, found
print(native_module().thread_pool(), found[0])
"""

THREADS = """
import torch
found = []
threads = [threading.Thread(target=lambda: found.extend(digest() for _ in range(3))) for _ in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
assert len(found) == 12 and len(set(found)) == 1, found
print(native_module().thread_pool(), found[0])
"""

TORCH_LATER = """
before = digest()
assert native_module().thread_pool() == "own"
import torch
assert digest() == before
print(native_module().thread_pool(), before)
"""

FORKED = """
import torch
torch.ones(10**6).add_(1).sum()
before = digest()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, (native_module().thread_pool() + " " + digest()).encode())
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert os.read(reading, 1000).decode() == "own " + before
assert digest() == before
print(native_module().thread_pool(), before)
"""

FORKED_WITHOUT_TORCH = FORKED.replace("import torch\ntorch.ones(10**6).add_(1).sum()\n", "")


def said(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program, str(Path(__file__).parents[1])],
        env={**os.environ, "OMP_NUM_THREADS": "2", **environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def alone():
    return said("print(digest((1,)))")[0]


@pytest.mark.parametrize(
    ("program", "environment", "pool"),
    [
        (PLAIN, {"OMP_NUM_THREADS": "1"}, "own"),  # with two: before torch is loaded in TORCH_LATER
        (BESIDE_TORCH, {"OMP_NUM_THREADS": "1"}, "openmp"),
        (BESIDE_TORCH, {"OMP_THREAD_LIMIT": "1"}, "openmp"),  # fewer threads than asked
        (BESIDE_TORCH, {"OMP_THREAD_LIMIT": "3"}, "openmp"),
        (BESIDE_TORCH, {"OMP_DYNAMIC": "true", "OMP_WAIT_POLICY": "PASSIVE"}, "openmp"),
        (INSIDE, {}, "openmp"),
        (INSIDE, {"OMP_MAX_ACTIVE_LEVELS": "2"}, "openmp"),
        (THREADS, {}, "openmp"),
        (THREADS.replace("import torch\n", ""), {}, "own"),
        (TORCH_LATER, {}, "openmp"),
        pytest.param(
            FORKED, {}, "openmp", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
        ),
        pytest.param(
            FORKED_WITHOUT_TORCH,
            {},
            "own",
            marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
        ),
    ],
)
def test_same_bits_on_whatever_threads(program, environment, pool, alone):
    assert said(program, **environment) == [pool, alone]


def test_a_thread_waits_while_another_imports_the_extension():
    program = """
import time
from importlib.machinery import ExtensionFileLoader
whole = ExtensionFileLoader.exec_module
ExtensionFileLoader.exec_module = lambda *given: (begun.set(), time.sleep(0.2), whole(*given))
begun, found = threading.Event(), []
threads = [threading.Thread(target=lambda: found.append(hasattr(native_module(), "pack"))) for _ in range(3)]
threads[0].start(), begun.wait(), [t.start() for t in threads[1:]], [t.join() for t in threads]
print(*found)
"""
    assert said(program) == ["True"] * 3


@needs_proc
def test_torchs_threads_and_ours_are_the_same_ones():
    program = """
import torch
torch.set_num_threads(3)
for _ in range(20):
    torch.randn(2000, 300).tanh_()
by_torch = tasks()
for _ in range(5):
    digest((3,))
print(by_torch, tasks())
"""
    by_torch, then = map(int, said(program))
    assert by_torch == then


@needs_proc
@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_threads_that_torch_was_given_is_obeyed(count):
    program = f"""
import torch
torch.set_num_threads({count})
def work():
    x = torch.randn(64, 16, 64)
    layer = recurra.nn.LSTM(64, 64)
    layer(x)[0].sum().backward()
    before = compiled.thread_count()
    digest((before,))
    found.append(before)
import recurra
found, before = [], tasks()
work()
print(tasks() - before, *found)
"""
    assert said(program) == [str(count - 1), str(count)]


def test_the_number_of_threads_is_torchs_also_in_a_new_python_thread():
    before = torch.get_num_threads()
    found = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            thread = threading.Thread(target=lambda: found.append(native_calls.thread_count()))
            thread.start()
            thread.join()
    finally:
        torch.set_num_threads(before)
    assert found == [1, 3]


def test_beside_torch_its_runtime_is_found():
    assert native_module().thread_pool() == "openmp"
