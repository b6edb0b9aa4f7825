import numpy as np

from recurra import datasets


def test_label_is_the_sum_of_one_marked_number_in_each_half():
    data = datasets.load("adding-problem", "train", n=200, length=(2, 40), random_state=3)
    for record in data:
        marked = np.flatnonzero(record.values[:, 1])
        half = len(record.values) // 2
        assert len(marked) == 2
        assert marked[0] < half <= marked[1]
        assert record.label == record.values[marked, 0].sum()


def test_the_naive_answer_has_the_error_the_source_states():
    data = datasets.load("adding-problem", "train", n=4000, length=10)
    assert abs(np.mean((data.y - 1) ** 2) - 1 / 6) < 0.01
