import numpy as np

from recurra import datasets


def test_labels_repeat_the_ten_symbols_after_the_wait():
    data = datasets.load("copying-memory", "test", n=20, length=7)
    for record in data:
        symbols = record.values.argmax(axis=1)
        assert len(symbols) == 27
        assert (record.label[:17] == 0).all()
        assert (record.label[17:] == symbols[:10]).all()
        assert ((symbols[:10] >= 1) & (symbols[:10] <= 8)).all()
        assert np.flatnonzero(symbols == 9).tolist() == [16]  # the signal, one step before the first answer
