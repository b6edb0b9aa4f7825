import numpy as np
import pytest

from recurra.batches.examples import Examples
from recurra.errors import DataError, ShapeError
from recurra.training.language_modelling import TextStreams


def make(targets, weights=None, names=None):
    inputs = [np.full((length, 2), i, np.float32) for i, length in enumerate([3, 1, 2])]
    return Examples(inputs=inputs, targets=targets, weights=weights, names=names)


def test_batch_joins_sequences_in_the_order_asked_for():
    batch = make(np.array([10, 11, 12]), np.array([1.0, 2.0, 3.0], np.float32)).batch(np.array([2, 0]))
    assert batch.inputs.values[:, 0].tolist() == [2, 2, 0, 0, 0]
    assert batch.inputs.lengths.tolist() == [2, 3]
    assert batch.targets.tolist() == [12, 10]
    assert batch.weights.tolist() == [3, 1]
    assert batch.indices.tolist() == [2, 0]


def test_sequences_of_one_length_may_be_one_array():
    inputs = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    batch = Examples(inputs, np.arange(4)).take([3, 2, 0]).batch(np.array([2, 0]))
    np.testing.assert_array_equal(batch.inputs.values, np.concatenate([inputs[0], inputs[3]]))
    assert batch.targets.tolist() == [0, 3]


@pytest.mark.parametrize("as_objects", [False, True])
def test_a_step_has_the_weight_of_its_sequence(as_objects):
    targets = [np.array([1, 2, 3]), np.array([4]), np.array([5, 6])]
    if as_objects:
        targets, parts = np.empty(3, object), targets
        targets[:] = parts
    batch = make(targets, np.array([1.0, 2.0, 3.0], np.float32)).batch(np.array([2, 0]))
    assert batch.targets.tolist() == [5, 6, 1, 2, 3]
    assert batch.weights.tolist() == [3, 3, 1, 1, 1]


def test_rows_of_everything_equal_a_batch_of_everything():
    examples = make([np.array([1, 2, 3]), np.array([4]), np.array([5, 6])])
    targets, weights = examples.rows()
    assert targets.tolist() == [1, 2, 3, 4, 5, 6]
    assert weights is None


def test_take_keeps_the_parts_together():
    examples = make(np.array([10, 11, 12]), np.array([1.0, 2.0, 3.0], np.float32), ["a", "b", "c"]).take(
        [2, 0]
    )
    assert examples.names == ["c", "a"]
    assert examples.targets.tolist() == [12, 10]
    assert examples.weights.tolist() == [3, 1]
    assert examples.lengths.tolist() == [2, 3]
    assert len(examples) == 2
    assert examples.input_size == 2


def test_disagreeing_parts_are_named():
    with pytest.raises(ShapeError, match=r"targets must have one entry per sequence \(3\); got 2"):
        make(np.array([0, 1]))
    with pytest.raises(ShapeError, match=r"sequence 1 \('b'\) has 1 time step but 2 targets"):
        make([np.zeros(3), np.zeros(2), np.zeros(2)], names=["a", "b", "c"])
    with pytest.raises(DataError, match="at least one sequence"):
        Examples(inputs=[], targets=np.zeros(0))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
@pytest.mark.parametrize("streams", [0, 1, 2, 3])
def test_batches_of_an_epoch_are_as_many_as_planned(batch_size, streams):
    examples = make(np.array([10, 11, 12]))
    if streams:  # of a text, which has its own plan
        examples = TextStreams.cut(np.arange(40), streams=streams, steps=5)
    for epoch in (0, 3):
        planned = examples.plan(batch_size, seed=0, epoch=epoch)
        assert len(planned) == examples.batches_per_epoch(batch_size)
        assert sorted(np.concatenate(planned).tolist()) == list(range(len(examples)))
