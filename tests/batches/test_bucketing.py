import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.batches.bucketing import padding_share, plan


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=300),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 1000),
    shuffle=st.booleans(),
    bucket=st.booleans(),
)
def test_every_example_is_in_exactly_one_batch(lengths, batch_size, seed, epoch, shuffle, bucket):
    lengths = np.array(lengths)
    choice = {"shuffle": shuffle, "bucket": bucket}
    batches = plan(lengths, batch_size, seed=seed, epoch=epoch, **choice)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size
    again = plan(lengths, batch_size, seed=seed, epoch=epoch, **choice)
    assert [b.tolist() for b in batches] == [b.tolist() for b in again]
    assert len(batches) == len(plan(lengths, batch_size, seed=seed + 1, epoch=epoch + 1, **choice))


@pytest.mark.parametrize(("n", "batch_size"), [(271, 27), (28, 27), (5000, 32), (3201, 64)])
def test_no_batch_is_much_smaller_than_the_others(n, batch_size):
    sizes = [len(b) for b in plan(np.arange(1, n + 1), batch_size, seed=0, epoch=1)]
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == -(-n // batch_size)


def test_epochs_differ_in_order_and_in_who_meets_whom():
    # All lengths differ: sorting alone would leave nothing to chance.
    lengths = np.random.default_rng(0).permutation(np.arange(50, 320))
    epochs = [plan(lengths, 27, seed=0, epoch=e) for e in range(20)]
    together = {frozenset(b.tolist()) for batches in epochs for b in batches}
    assert len(together) > 150  # of 200: batches are not made once and merely reordered
    assert len({np.argsort([lengths[b].mean() for b in batches])[0] for batches in epochs}) > 3
    other = plan(lengths, 27, seed=1, epoch=0)
    assert [b.tolist() for b in other] != [b.tolist() for b in epochs[0]]


def test_buckets_waste_a_fraction_of_what_random_batches_waste():
    lengths = np.random.default_rng(0).integers(5, 200, size=2000)
    bucketed = padding_share(lengths, plan(lengths, 32, seed=0, epoch=0))
    random = padding_share(lengths, plan(lengths, 32, seed=0, epoch=0, bucket=False))
    assert random > 0.4
    assert bucketed < random / 2


def test_without_shuffling_the_order_is_that_of_length_or_of_the_data():
    lengths = np.array([5, 1, 3, 1])
    by_length = plan(lengths, 2, seed=0, epoch=0, shuffle=False)
    assert [b.tolist() for b in by_length] == [[1, 3], [2, 0]]
    as_given = plan(lengths, 2, seed=0, epoch=0, shuffle=False, bucket=False)
    assert [b.tolist() for b in as_given] == [[0, 1], [2, 3]]


def test_global_generator_of_numpy_is_left_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    plan(np.arange(1, 100), 8, seed=0, epoch=0)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_padding_share_of_a_case_done_by_hand():
    # Batches padded to 4 + 4 and 2: 10 steps, of which 4 + 1 + 2 are real.
    assert padding_share(np.array([4, 1, 2]), [np.array([0, 1]), np.array([2])]) == pytest.approx(0.3)
    assert padding_share(np.array([4, 4]), [np.array([0, 1])]) == 0
