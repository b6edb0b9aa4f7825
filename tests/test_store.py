"""The safe file: round trips, and every way a file can lie."""

import json
import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recurra import store
from recurra.errors import StoreError

MANIFEST = {"kind": "model", "numbers": [1, 2.5, None, True], "text": "äöü", "nested": {"a": []}}
ARRAYS = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "s": np.array(3.0),
    "e": np.zeros((0, 4), dtype=np.int64),
}


def rewritten(change):
    """Return a file whose header went through ``change``, with sizes mended."""
    data = store.dumps(MANIFEST, ARRAYS)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = change(header)
    text = json.dumps(text if text is not None else header).encode() if not isinstance(text, bytes) else text
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def complaint(data):
    with pytest.raises(StoreError) as caught:
        store.loads(data, who="m.recurra")
    text = str(caught.value)
    assert text.startswith("m.recurra: ")
    return text


@given(
    array=hnp.arrays(
        dtype=st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
        shape=hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_round_trip_of_any_array(array):
    manifest, arrays = store.loads(store.dumps(MANIFEST, {"a": array}))
    assert manifest == MANIFEST
    assert arrays["a"].dtype == array.dtype
    assert arrays["a"].shape == array.shape
    np.testing.assert_array_equal(arrays["a"], array)


def test_same_content_gives_the_same_bytes():
    assert store.dumps(MANIFEST, ARRAYS) == store.dumps(
        dict(reversed(MANIFEST.items())), dict(reversed(ARRAYS.items()))
    )


def test_other_safetensors_readers_can_open_it():
    from safetensors.numpy import load

    np.testing.assert_array_equal(load(store.dumps(MANIFEST, ARRAYS))["w"], ARRAYS["w"])


def test_arrays_do_not_alias_the_file():
    _, arrays = store.loads(store.dumps(MANIFEST, ARRAYS))
    arrays["w"][0, 0] = 9  # writable, its own memory


def test_every_single_flipped_bit_is_noticed():
    data = store.dumps(MANIFEST, ARRAYS)
    for position in range(len(data)):
        for bit in (0, 3, 7):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            try:
                manifest, arrays = store.loads(bytes(changed))
            except StoreError:
                continue
            # Only white space or an equivalent spelling may get through.
            assert manifest == MANIFEST
            assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_every_cut_is_noticed():
    data = store.dumps(MANIFEST, ARRAYS)
    for size in range(len(data)):
        complaint(data[:size])


def test_huge_header_is_refused_before_it_is_read():
    assert "its header claims" in complaint((2**40).to_bytes(8, "little") + b"{}")


def test_huge_array_is_refused_before_it_is_made():
    def change(header):
        header["w"].update(shape=[2**31, 2**31], data_offsets=[0, 2**64])

    assert "makes no sense" in complaint(rewritten(change))


def test_claimed_bytes_beyond_the_file():
    def change(header):
        header["w"].update(shape=[2**20, 3], data_offsets=[0, 12 * 2**20])

    assert "cut short: array 'w' ends at byte" in complaint(rewritten(change))


def test_overlapping_arrays():
    def change(header):
        header["x"] = header["w"]

    assert "overlap or leave gaps" in complaint(rewritten(change))


def test_repeated_key():
    text = complaint(rewritten(lambda header: json.dumps(header).encode().replace(b'"e"', b'"w"')))
    assert "a key appears twice" in text


def test_deep_nesting():
    deep = b"[" * 100_000 + b"]" * 100_000
    assert "nested more than 64 deep" in complaint(rewritten(lambda header: b'{"a":' + deep + b"}"))


def test_too_many_arrays():
    def change(header):
        for i in range(store.MAX_ARRAYS + 1):
            header[f"z{i}"] = header["e"]

    assert "more than the 20000 a file may hold" in complaint(rewritten(change))


def test_newer_format_asks_for_an_update():
    def change(header):
        header["__metadata__"]["recurra"] = header["__metadata__"]["recurra"].replace(
            "recurra-1", "recurra-2"
        )

    assert "has format 'recurra-2', this version of recurra reads 'recurra-1'. Update recurra." in complaint(
        rewritten(change)
    )


def test_foreign_safetensors():
    from safetensors.numpy import save

    assert "carries no recurra manifest" in complaint(save(ARRAYS))


def test_changed_manifest_fails_the_checksum():
    def change(header):
        header["__metadata__"]["recurra"] = header["__metadata__"]["recurra"].replace("model", "moral")

    assert "checksum does not agree" in complaint(rewritten(change))


def test_not_a_recurra_file_at_all():
    assert "not a recurra file" in complaint(b"PK\x03\x04 something else entirely")
    assert "not a recurra file: it has 0 bytes" in complaint(b"")


def test_infinity_has_no_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.dumps({"a": float("inf")}, {})


def test_save_replaces_whole_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "m.recurra"
    store.save(path, {"v": 1}, ARRAYS)
    store.save(path, {"v": 2}, ARRAYS)
    assert store.load(path)[0] == {"v": 2}
    assert os.listdir(tmp_path) == ["m.recurra"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~store._umask()


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.recurra"
    store.save(path, {"v": 1}, ARRAYS)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.save(path, {"v": 2}, ARRAYS)
    monkeypatch.undo()
    assert store.load(path)[0] == {"v": 1}
    assert os.listdir(tmp_path) == ["m.recurra"]


def test_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match="is a folder, not a model file"):
        store.load(tmp_path)
