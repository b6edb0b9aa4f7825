"""The safe file: round trips, and every way a file can lie."""

import contextlib
import json
import os
import socket
import stat
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ctrl_c import codes_of, each_instruction
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


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("before", [b"old", None])
def test_ctrl_c_at_any_instruction_leaves_the_old_file_or_the_new_one(tmp_path, before):
    path = tmp_path / "file"

    def write():
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
        store.write_bytes(path, b"new")

    for at, was_cut in each_instruction(write, codes_of(store)):
        found = path.read_bytes() if path.exists() else None
        assert found in ((before, b"new") if was_cut else (b"new",)), at
        assert [child.name for child in tmp_path.iterdir()] == ["file"] * (found is not None), at
    assert at > 50


@pytest.fixture
def umask():
    before, interval = os.umask(0o022), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns between any two instructions
    yield os.umask
    sys.setswitchinterval(interval)
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o077, 0o027, 0o000, 0o777])
def test_a_new_file_has_the_permissions_of_the_umask_also_from_many_threads(tmp_path, umask, mask):
    umask(mask)

    def write(thread):
        for number in range(30):
            store.write_bytes(tmp_path / f"{thread}-{number}", b"content")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o666 & ~mask}
    assert umask(0o022) == mask


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_ctrl_c_at_any_instruction_leaves_the_umask(tmp_path, umask):
    umask(0o077)
    for at, _ in each_instruction(lambda: store.write_bytes(tmp_path / "file", b""), codes_of(store)):
        assert umask(0o077) == 0o077, at


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("own", [0o600, 0o640, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, umask, own):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(own)
    umask(0o022)
    store.write_bytes(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == own


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


# ------------------------------------------------------ files that are no files


WRITERS = {
    "bytes": lambda path: store.write_bytes(path, b"content\n"),
    "text": lambda path: store.write_text(path, "content\n"),
}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null", "/dev/zero", "/dev/tty"])
def test_a_device_stays_a_device(write, tmp_path, device):
    if not os.path.exists(device):
        pytest.skip(f"{device} is not there")
    link = tmp_path / "link"
    link.symlink_to(device)
    before = os.stat(device)
    for path in (device, link):
        if device == "/dev/full":
            with pytest.raises(OSError, match="No space left on device") as caught:
                write(path)
            assert caught.value.filename == str(path)
        else:
            with contextlib.suppress(OSError):  # without a terminal there is no /dev/tty
                write(path)
    after = os.stat(device)
    assert (after.st_mode, after.st_rdev, after.st_ino) == (before.st_mode, before.st_rdev, before.st_ino)
    assert link.is_symlink()
    assert [p.name for p in tmp_path.iterdir()] == ["link"]


def test_a_full_device_says_so():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        store.write_bytes("/dev/full", b"x")


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_into(write, tmp_path, linked):
    fifo, path = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    path.symlink_to(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write(path if linked else fifo)
    assert os.read(reader, 100) == b"content\n"
    os.close(reader)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fifo", "link"]


def test_more_than_a_pipe_holds_arrives(tmp_path):
    fifo, data = tmp_path / "fifo", os.urandom(1 << 20)
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    store.write_bytes(fifo, data)
    reader.join()
    assert got == [data]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "/proc/{pid}/fd/{}", "link"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_descriptor_of_the_process_is_written_into_where_it_stands(write, tmp_path, name, kind):
    if kind == "pipe":
        read, descriptor = os.pipe()
    else:
        descriptor = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
        os.write(descriptor, b"before\n")
        read = os.open(tmp_path / "out", os.O_RDONLY)
    path = name.format(descriptor, pid=os.getpid())
    if name == "link":
        path = tmp_path / "link"
        path.symlink_to(f"/dev/fd/{descriptor}")
    write(path)
    os.write(descriptor, b"after\n")
    content = b"content\nafter\n"
    assert os.read(read, 100) == (content if kind == "pipe" else b"before\n" + content)
    os.close(read)
    os.close(descriptor)


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("relative", [True, False])
def test_a_link_is_followed_and_stays(write, tmp_path, steps, there, relative):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "target"
    if there:
        target.write_text("old")
    previous = target
    for step in range(steps):
        link = tmp_path / f"link{step}"
        link.symlink_to(os.path.relpath(previous, tmp_path) if relative else previous)
        previous = link
    write(previous)
    assert target.read_text() == "content\n"
    assert not target.is_symlink()
    assert previous.is_symlink()
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["target"]


def test_links_in_a_circle_and_into_nowhere_are_errors(write, tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent" / "file")
    for name in ("a", "nowhere"):
        with pytest.raises(OSError, match=name):
            write(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "nowhere"]


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_a_folder_is_refused(write, tmp_path, linked, full):
    folder, path = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    path.symlink_to(folder)
    if full:
        (folder / "file").write_text("kept")
    with pytest.raises(IsADirectoryError) as caught:
        write(path if linked else folder)
    assert caught.value.filename == str(path if linked else folder)
    assert folder.is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "link"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="a socket with a name is POSIX")
def test_a_socket_is_an_error_and_stays(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its name may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(OSError, match="socket"):
            write("socket")
        assert stat.S_ISSOCK(os.stat("socket").st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(write, tmp_path, mode):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_read_only_file_is_not_replaced(write, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    if os.access(path, os.W_OK):  # the superuser may write everything
        plain = os.access
        monkeypatch.setattr(os, "access", lambda p, mode: mode != os.W_OK and plain(p, mode))
    with pytest.raises(PermissionError, match="file"):
        write(path)
    assert path.read_text() == "old"


def test_the_longest_name_can_be_written(write, tmp_path):
    for name in ("n" * 255, "ä" * 127):
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "content\n"


def test_nothing_is_read_from_a_device(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in ("/dev/zero", link):
        with pytest.raises(StoreError, match="is a device, not a model file"):
            store.load(path)
