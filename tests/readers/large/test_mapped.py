"""Arrays in files: asked for in time, and kept where memory would not hold them."""

import mmap
import sys
import tempfile
import threading

import numpy as np
import pytest

from recurra.batches.examples import Examples
from recurra.readers.large import mapped


class Asked:
    """Stands where a mapped file would, and notes what is asked of it."""

    def __init__(self, size):
        self.size, self.ranges = size, []

    def __len__(self):
        return self.size

    def madvise(self, advice, start=0, length=0):
        if advice == mmap.MADV_RANDOM:
            return
        assert advice == mmap.MADV_WILLNEED
        assert start % mmap.PAGESIZE == 0
        self.ranges.append((start, start + length))


def test_arrays_of_a_mapped_file_are_asked_for_before_their_turn():
    whole = np.arange(40_000.0)
    sequences = [whole[first : first + 400] for first in range(0, 40_000, 400)]
    order = [sequences[i] for i in np.random.default_rng(0).permutation(100)]
    file = Asked(whole.nbytes)
    mapped.MAPPINGS[mapped._address(whole)] = file
    elsewhere, text = np.zeros(3), "a text"
    given = [elsewhere, *order, text]
    seen = 0
    for index, found in enumerate(mapped.read_ahead(given)):
        assert found is given[index]
        if 1 <= index <= 100:
            begin = mapped._address(found) - mapped._address(whole)
            assert any(start <= begin and begin + found.nbytes <= end for start, end in file.ranges)
            seen += 1
    assert seen == 100
    assert len(file.ranges) == 100  # each once
    assert list(mapped.read_ahead(tuple(given))) == given
    assert len(file.ranges) == 100  # what is not a list asks for itself


def test_a_batch_of_arrays_in_a_mapped_file_is_asked_for():
    whole = np.arange(4_000.0, dtype=np.float32).reshape(-1, 2)
    sequences = [whole[first : first + 100] for first in range(0, 2_000, 100)]
    file = Asked(whole.nbytes)
    mapped.MAPPINGS[mapped._address(whole)] = file
    examples = Examples(sequences, np.arange(20))
    batch = examples.batch(np.array([7, 3]))
    np.testing.assert_array_equal(batch.inputs.values, np.concatenate([sequences[7], sequences[3]]))
    for begin in (7 * 800, 3 * 800):
        assert any(start <= begin and begin + 800 <= end for start, end in file.ranges)
    assert len(file.ranges) == 2


def test_a_thread_reads_on_while_others_map_files(tmp_path):
    kept = [
        own for _ in range(20) for own in mapped.keep_all([np.ones((50, 2))], lambda: tmp_path, in_memory=0)
    ]
    ended = threading.Event()

    def others():
        while not ended.is_set():
            mapped.keep_all([np.ones((5, 2))], lambda: tmp_path, in_memory=0)

    makers = [threading.Thread(target=others) for _ in range(2)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads take turns inside a loop
    try:
        for maker in makers:
            maker.start()
        for _ in range(500):
            assert len(list(mapped.read_ahead(kept))) == 20
    finally:
        ended.set()
        sys.setswitchinterval(before)
        for maker in makers:
            maker.join()


def test_long_arrays_are_read_on_by_the_system():
    whole = np.zeros((1 << 20) + 1)  # over 4 MB, in one piece
    file = Asked(whole.nbytes)
    mapped.MAPPINGS[mapped._address(whole)] = file
    assert next(mapped.read_ahead([whole])) is whole
    assert not file.ranges


@pytest.mark.parametrize("in_memory", [0, 100, 3000, 10**9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_are_kept_in_memory_and_beyond_in_a_file(in_memory, dtype, tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(length, 3)).astype(dtype) for length in (5, 0, 40, 1, 300, 7)]
    kept = mapped.keep_all(iter(arrays), lambda: tmp_path / "rows", in_memory=in_memory)
    assert [array.dtype for array in kept] == [dtype] * 6
    for own, array in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(own, array)
    inside = [own is array for own, array in zip(kept, arrays, strict=True)]
    assert inside == [in_memory == 10**9] * 6
    assert not list(tmp_path.glob("rows/*"))  # nobody else sees the file


def test_nothing_is_kept_of_nothing(tmp_path):
    assert mapped.keep_all([], lambda: tmp_path, in_memory=0) == []
    assert mapped.keep_all([np.zeros((0, 2))], lambda: tmp_path, in_memory=0)[0].shape == (0, 2)


def test_a_folder_that_cannot_be_written_to_is_replaced_by_that_of_the_system(tmp_path):
    (tmp_path / "cache").touch()  # no folder
    arrays = [np.full((9, 2), i) for i in range(3)]
    kept = mapped.keep_all(arrays, lambda: tmp_path / "cache" / "rows", in_memory=0)
    np.testing.assert_array_equal(kept, arrays)


@pytest.mark.parametrize("writable", [True, False])
def test_a_full_disk_is_named_with_what_chooses_another(writable, tmp_path):
    resource = pytest.importorskip("resource")
    folder = tmp_path / "cache"
    setting = "$RECURRA_CACHE" if writable else "$TMPDIR"
    if not writable:
        folder.touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, hard))
    try:
        with pytest.raises(OSError) as caught:
            mapped.keep_all([np.zeros((1000, 2))] * 4, lambda: folder, in_memory=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(folder if writable else tempfile.gettempdir())
    assert f"{setting} names another folder" in caught.value.__notes__[0]
    assert not writable or list(folder.iterdir()) == []
