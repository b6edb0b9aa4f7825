"""The native kernels: the same bits whatever the batch, threads or stream; odd numbers and odd callers."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import oracles
import recurra.kernels
from recurra.kernels import native_calls
from recurra.kernels.cells.lstm import lstm_backward, lstm_forward
from recurra.kernels.dispatch import native_module
from recurra.kernels.networks.stack import StackStep, stack_forward
from strategies import RecurrentCase, make_case, recurrent_case

pytestmark = oracles.needs_native

CELLS = ("rnn", "rnn_relu", "lstm", "gru")
BIT = {"max_examples": 25, "deadline": None}


@pytest.fixture(autouse=True)
def _native():
    with recurra.kernels.use("native"):
        yield


def run(case: RecurrentCase, *, save: bool = False, threads: int = 1, mode: int = 0):
    """Output, final states and what is saved, of one direction."""
    return native_calls.forward(
        case.cell,
        case.x,
        lengths=case.lengths,
        directions=[case.layer()],
        states=[case.states()],
        save=save,
        threads=threads,
        mode=mode,
    )


def gradients(case: RecurrentCase, *, threads: int, mode: int) -> dict[str, np.ndarray]:
    result = run(case, save=True, threads=threads, mode=mode)
    rng = np.random.default_rng(3)
    grads = [rng.standard_normal(v.shape).astype(case.x.dtype) for v in result[:-1]]
    final = {"grad_h_n": grads[1][0], "grad_c_n": grads[2][0] if case.cell == "lstm" else None}
    return native_calls.backward(grads[0], **final, saved=result[-1], threads=threads, mode=mode)


def part(case: RecurrentCase, b: int) -> RecurrentCase:
    """Sequence b of the case alone."""
    states = {"h_0": case.h_0[:, b : b + 1], "c_0": None if case.c_0 is None else case.c_0[:, b : b + 1]}
    return RecurrentCase(
        case.cell,
        case.sequences[b],
        case.lengths[b : b + 1],
        case.weights,
        **states,
        num_layers=1,
        bidirectional=False,
    )


@settings(**BIT)
@given(case=recurrent_case(dtypes=(np.float32, np.float64), max_batch=17))
def test_a_sequence_gives_the_same_bits_alone_in_a_batch_and_on_two_threads(case):
    together = run(case)
    for threads, mode in ((2, 0), (2, 1), (2, 2)):
        for one, other in zip(together[:-1], run(case, threads=threads, mode=mode)[:-1], strict=True):
            assert_array_equal(one, other)
    ends = np.cumsum(case.lengths)
    for b in range(len(case.lengths)):
        alone = run(part(case, b))
        assert_array_equal(alone[0], together[0][ends[b] - case.lengths[b] : ends[b]])
        assert_array_equal(alone[1][:, 0], together[1][:, b])
    with_gradient = run(case, save=True)
    assert_array_equal(with_gradient[0], together[0])


@settings(**BIT)
@given(case=recurrent_case(dtypes=(np.float32, np.float64), max_batch=17))
def test_gradients_have_the_same_bits_for_one_and_two_threads(case):
    one = gradients(case, threads=1, mode=0)
    for mode in (0, 1, 2):
        for name, value in gradients(case, threads=2, mode=mode).items():
            assert_array_equal(value, one[name], err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_large_layers_split_between_threads_keep_their_bits(cell):
    # large enough for the second thread to be worth waking, input too wide to be summed in the step itself
    case = make_case(
        cell, batch_lengths=[9, 0, 30, 17, 4], input_size=67, hidden_size=133, dtype=np.float32, seed=4
    )
    outputs = [run(case, threads=t, mode=m) for t, m in ((1, 0), (2, 1), (2, 2), (3, 1), (3, 2))]
    grads = [gradients(case, threads=t, mode=m) for t, m in ((1, 0), (2, 1), (2, 2), (3, 1), (3, 2))]
    for other in outputs[1:]:
        assert_array_equal(other[0], outputs[0][0])
    for other in grads[1:]:
        for name, value in other.items():
            assert_array_equal(value, grads[0][name], err_msg=name)
    ends = np.cumsum(case.lengths)
    for b in (0, 2, 4):
        assert_array_equal(run(part(case, b))[0], outputs[0][0][ends[b] - case.lengths[b] : ends[b]])
    with recurra.kernels.use("reference"):
        expected, _ = stack_forward(
            case.x, lengths=case.lengths, cell=cell, weights=case.weights, h_0=case.h_0, c_0=case.c_0
        )
    assert_allclose(outputs[0][0], expected, rtol=1e-4, atol=1e-5)


@settings(**BIT)
@given(
    case=recurrent_case(dtypes=(np.float32, np.float64), max_layers=3, max_batch=1, max_length=12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
def test_a_stream_equals_the_whole_however_it_is_cut(case, cuts):
    whole, h_n = stack_forward(
        case.x,
        lengths=case.lengths,
        cell=case.cell,
        weights=case.weights,
        num_layers=case.num_layers,
        h_0=case.h_0,
        c_0=case.c_0,
    )
    stream = StackStep(case.cell, case.weights, num_layers=case.num_layers)
    stream.h = case.h_0
    if case.c_0 is not None:
        stream.c = case.c_0
    for t, row in enumerate(case.x):
        assert_array_equal(stream.step(row[None])[0], whole[t])
    assert_array_equal(stream.h, h_n)
    if case.num_layers > 1:
        return
    # whole chunks, the state carried by hand
    state, parts = case.states(), []
    for chunk in np.split(case.x, sorted(min(c, len(case.x)) for c in cuts)):
        lengths = np.array([len(chunk)])
        result = native_calls.forward(
            case.cell, chunk, lengths=lengths, directions=[case.layer()], states=[state], threads=1
        )
        state = dict(zip(("h_0", "c_0"), (s[0] for s in result[1:-1]), strict=False))
        parts.append(result[0])
    assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("batch", [2, 3, 7, 13])
@pytest.mark.parametrize("cell", CELLS)
def test_streams_side_by_side_do_not_touch_each_other(cell, batch):
    case = make_case(cell, batch_lengths=[5] * batch, input_size=50, hidden_size=19, dtype=np.float32)
    x = case.x.reshape(batch, 5, 50)
    together, alone = StackStep(cell, case.weights, batch=batch), StackStep(cell, case.weights)
    steps = [together.step(np.ascontiguousarray(x[:, t])).copy() for t in range(5)]
    for b in range(batch):
        alone.reset()
        for t in range(5):
            assert_array_equal(alone.step(x[b : b + 1, t])[0], steps[t][b])


def test_a_step_allocates_nothing_and_returns_the_same_array():
    case = make_case("lstm", batch_lengths=[1], input_size=3, hidden_size=20, dtype=np.float32)
    stream = StackStep("lstm", case.weights)
    first = stream.step(case.x)
    assert stream.step(case.x) is first
    # other types and strides are converted, wrong shapes refused
    assert stream.step(case.x.astype(np.float64)) is first
    with pytest.raises(ValueError, match=r"StackStep.step: x must have shape \(1, 3\); got \(1, 4\)"):
        stream.step(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("cell", CELLS)
def test_a_bad_number_stays_in_its_own_sequence(cell, bad):
    case = make_case(cell, batch_lengths=[4, 6, 3, 6, 5], input_size=3, hidden_size=21, dtype=np.float32)
    clean = run(case)[0]
    x = case.x.copy()
    x[5] = bad  # step 1 of sequence 1
    output = native_calls.forward(
        cell, x, lengths=case.lengths, directions=[case.layer()], states=[case.states()], threads=2
    )[0]
    own = slice(5, 10)
    keep = np.ones(len(x), bool)
    keep[own] = False
    assert_array_equal(output[keep], clean[keep])
    assert_array_equal(output[4], clean[4])
    if np.isnan(bad):
        assert np.isnan(output[own]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_denormals_are_flushed_inside_and_the_callers_flags_restored(cell):
    tiny = np.float32(1e-40)
    case = make_case(cell, batch_lengths=[30] * 3, input_size=2, hidden_size=9, dtype=np.float32, bias=False)
    output = native_calls.forward(
        cell,
        np.full_like(case.x, tiny),
        lengths=case.lengths,
        directions=[case.layer()],
        states=[{}],
        threads=2,
    )[0]
    assert not ((np.abs(output) > 0) & (np.abs(output) < np.finfo(np.float32).tiny)).any()
    assert np.float32(tiny) * np.float32(0.5) > 0
    StackStep(cell, case.weights).step(np.full((1, 2), tiny, np.float32))
    assert np.array([tiny])[0] * np.float32(0.5) > 0


@pytest.mark.parametrize(("name", "exact", "ulps"), [("tanh", np.tanh, 6.5), ("exp", np.exp, 4)])
def test_activations_are_accurate(name, exact, ulps):
    x = np.concatenate([np.linspace(-12, 12, 200001), np.geomspace(1e-30, 1, 5001), [0.0]]).astype(np.float32)
    y = x.copy()
    native_calls.native_module().apply(name, False, y, len(y))
    expected = exact(x.astype(np.longdouble))
    error = np.abs(y - expected) / np.spacing(np.abs(expected).astype(np.float32))
    assert error.max() < ulps
    odd = np.array([0.0, np.nan, np.inf, -np.inf], np.float32)
    got = odd.copy()
    native_calls.native_module().apply(name, False, got, 4)
    assert np.isnan(got[1])
    if name == "tanh":
        assert_array_equal(got[[0, 2, 3]], [0, 1, -1])
        assert np.abs(y).max() <= 1


def test_sigmoid_is_accurate():
    # A GRU of one unit with z = sigmoid(x), candidate 0 and h_0 = 1 gives back sigmoid(x).
    x = np.linspace(-30, 30, 20001).astype(np.float32)
    weights = {"weight_ih": np.array([[0], [1], [0]], np.float32), "weight_hh": np.zeros((3, 1), np.float32)}
    result = native_calls.forward(
        "gru",
        x[:, None],
        lengths=np.ones(len(x), np.int64),
        directions=[weights],
        states=[{"h_0": np.ones((len(x), 1), np.float32)}],
    )
    expected = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    error = np.abs(result[0][:, 0] - expected) / np.spacing(expected.astype(np.float32))
    assert error.max() < 5
    assert result[0][10000, 0] == 0.5


def test_gradients_can_be_taken_twice():
    case = make_case("lstm", batch_lengths=[3, 5], input_size=2, hidden_size=6)
    output, _, _, saved = lstm_forward(case.x, lengths=case.lengths, **case.layer(), save=True)
    gates = saved.gates
    first = lstm_backward(np.ones_like(output), saved=saved)
    second = lstm_backward(np.ones_like(output), saved=saved)
    for name in first:
        assert_array_equal(first[name], second[name])
    assert_array_equal(saved.gates, gates)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_and_states_on_request_equal_the_reference(cell):
    case = make_case(cell, batch_lengths=[3, 0, 5], input_size=2, hidden_size=19)
    native = run(case, save=True)[-1]
    with recurra.kernels.use("reference"):
        module = __import__(f"recurra.kernels.cells.{cell}", fromlist=["x"])
        forward = getattr(module, f"{cell}_forward")
        reference = forward(case.x, lengths=case.lengths, **case.layer(), **case.states(), save=True)[-1]
    for name in ("gates", "h_prev", *(("c", "c_prev") if cell == "lstm" else ("q",))):
        assert_allclose(getattr(native, name), getattr(reference, name), rtol=1e-12, err_msg=name)


def test_python_threads_get_the_same_bits():
    case = make_case("lstm", batch_lengths=[40] * 8, input_size=20, hidden_size=64, dtype=np.float32)
    expected, wrong = run(case, threads=2)[0], []

    def work():
        with recurra.kernels.use("native"):
            wrong.extend(not np.array_equal(run(case, threads=2)[0], expected) for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(wrong) == 80
    assert not any(wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_gets_its_own_threads():
    code = """
import os, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from strategies import make_case
from recurra.kernels import native_calls as compiled
case = make_case("lstm", batch_lengths=[40] * 8, input_size=20, hidden_size=64, dtype=np.float32)
options = {"lengths": case.lengths, "directions": [case.layer()], "states": [{}]}
def run():
    return compiled.forward("lstm", case.x, threads=2, **options)[0]
expected = run()
child = os.fork()
if child == 0:
    os._exit(0 if all(np.array_equal(run(), expected) for _ in range(3)) else 7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    tests = str(Path(__file__).parents[1])
    assert subprocess.run([sys.executable, "-c", code, tests], timeout=60, check=False).returncode == 0


def resident_kilobytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc to see the memory")
def test_nothing_leaks_over_100_000_calls():
    case = make_case("lstm", batch_lengths=[2, 1], input_size=1, hidden_size=2, dtype=np.float32)
    stream = StackStep("lstm", case.weights)

    def calls(n):
        for _ in range(n):
            lstm_backward(None, saved=run(case, save=True)[-1])
            for _ in range(20):
                stream.step(case.x[:1])
        gc.collect()

    calls(300)
    before = resident_kilobytes()
    calls(4600)  # a forward, a backward and 20 steps each
    assert resident_kilobytes() - before < 2000


def test_blocks_of_several_large_pages_are_used_again():
    """A block rounded up to whole pages was once too large to be taken for what it had been made for."""
    resource = pytest.importorskip("resource")
    # 4.2 MB of gates and cell states, which take three pages of 2 MB
    case = make_case("lstm", batch_lengths=[200] * 10, input_size=9, hidden_size=100, dtype=np.float32)
    native = native_module()
    layer = case.layer()
    weights = [layer.get(n) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
    packed = native.pack(2, False, 9, 100, 100, [weights], False, 1)
    output, start = np.empty((2000, 100), np.float32), np.arange(10) * 200
    lengths = np.asarray(case.lengths, np.int64)

    def faults(calls):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(calls):
            native.forward(packed, 10, lengths, case.x, start * 9, 9, output, start * 100, 100, None, None, False, None,
                           None, native.Saved(packed[0], 2000, 1), 1, 0)  # fmt: skip
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(3)
    assert faults(20) < 20


@pytest.mark.parametrize("isa", recurra.kernels.describe().get("isas", []))
def test_every_instruction_set_of_this_machine(isa):
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("check_shapes.py")), "20"],
        env={**os.environ, "RECURRA_ISA": isa, "RECURRA_KERNELS": "native"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{isa}: 20 cases")


def test_an_absent_instruction_set_is_named():
    code = "import recurra.kernels as k; print(k.describe())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RECURRA_ISA": "vax", "RECURRA_KERNELS": "auto"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'native': False" in done.stdout
    assert "RECURRA_ISA names 'vax', which is not there" in done.stdout
