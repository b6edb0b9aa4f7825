import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import UsageError
from recurra.training.distributed.shards import added, check_workers, cut, nodes_of, range_of


@given(lengths=st.lists(st.integers(1, 50), max_size=40), shards=st.integers(1, 9))
def test_every_sequence_is_in_one_shard_and_shards_are_balanced(lengths, shards):
    parts = cut(np.array(lengths, dtype=np.int64), shards)
    assert len(parts) == shards
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    steps = [sum(lengths[i] for i in part) for part in parts]
    assert max(steps) - min(steps) <= max(lengths, default=0)


@given(shards=st.integers(1, 20), data=st.data())
def test_the_tree_is_the_same_wherever_its_shards_are(shards, data):
    workers = data.draw(st.integers(1, shards))
    known = {}
    ranges = [range_of(worker, workers=workers, shards=shards) for worker in range(workers)]
    assert [shard for own in ranges for shard in range(*own)] == list(range(shards))

    def single(node):
        return str(node[0]) if node[1] - node[0] == 1 else None

    def add(left, right):
        return f"({left}+{right})"

    for own in ranges:
        known |= {node: added(node, single, add) for node in nodes_of(own, shards)}
    assert added((0, shards), known.get, add) == added((0, shards), single, add)


def test_five_shards_are_added_in_this_order():
    def single(node):
        return str(node[0]) if node[1] - node[0] == 1 else None

    assert added((0, 5), single, lambda a, b: f"({a}+{b})") == "(((0+1)+(2+3))+4)"


def test_more_workers_than_shards_are_refused():
    check_workers(4, 4)
    with pytest.raises(UsageError, match=r"workers=5 is more than shards=4, and a worker without a shard"):
        check_workers(5, 4)
