"""What is kept is found by content, whole or not at all, within a bound, and shared."""

import os
import threading

import numpy as np
import pytest

from recurra import store
from recurra.features.frames.cache import FrameCache, content_hash

FEATURES = np.arange(6, dtype=np.float32).reshape(2, 3)


def entries(cache):
    return sorted(p for p in cache.folder.rglob("*") if p.is_file())


def test_kept_and_found(tmp_path):
    cache = FrameCache(tmp_path / "cache")
    key = cache.key("content", {"frames": 16}, "network 1")
    assert cache.get(key) is None
    cache.put(key, FEATURES)
    assert np.array_equal(FrameCache(tmp_path / "cache").get(key), FEATURES)
    assert (cache.hits, cache.misses) == (0, 1)


def test_everything_that_decides_the_features_is_in_the_key():
    given = ("content", {"frames": 16}, "network 1")
    others = [("other", *given[1:]), (given[0], {"frames": 8}, given[2]), (*given[:2], "network 2")]
    assert len({FrameCache.key(*g) for g in [given, *others]}) == 4


def test_content_decides_not_the_name(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"clip")
    (tmp_path / "b.mp4").write_bytes(b"clip")
    assert content_hash(tmp_path / "a.mp4") == content_hash(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").write_bytes(b"clap")
    assert content_hash(tmp_path / "a.mp4") != content_hash(tmp_path / "b.mp4")
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"one")
    before = content_hash(folder)
    (folder / "2.png").write_bytes(b"two")
    assert content_hash(folder) != before


def test_a_damaged_entry_is_none(tmp_path):
    cache = FrameCache(tmp_path)
    key = cache.key("content", {}, "network")
    cache.put(key, FEATURES)
    (path,) = entries(cache)
    whole = path.read_bytes()
    for data in (whole[:-1], b"", whole[:-4] + b"\0\0\0\1"):
        path.write_bytes(data)
        assert cache.get(key) is None
    other = cache.key("other", {}, "network")
    cache.put(other, FEATURES)
    os.replace(cache._path(other), path)  # whole, but of another clip
    assert cache.get(key) is None


def test_the_oldest_go_first(tmp_path):
    cache = FrameCache(tmp_path)
    keys = [cache.key(str(i), {}, "network") for i in range(6)]
    for age, key in enumerate(keys):
        cache.put(key, FEATURES)
        os.utime(cache._path(key), (1000 + age, 1000 + age))
    size = cache._path(keys[0]).stat().st_size
    cache.get(keys[0])  # used just now
    cache.max_bytes = 3 * size
    cache.shrink()
    assert [cache.get(key) is not None for key in keys] == [True, False, False, False, True, True]


def test_two_runs_share_a_folder(tmp_path):
    """Both write and read the same entries, one with a bound that keeps removing them; nothing is ever half there."""
    wrong = []

    def work(bound):
        cache = FrameCache(tmp_path, max_bytes=bound)
        for round_ in range(30):
            for i in range(4):
                key = cache.key(str(i), {}, "network")
                found = cache.get(key)
                if found is None:
                    cache.put(key, FEATURES + i)
                elif not np.array_equal(found, FEATURES + i):
                    wrong.append((round_, i))
            cache.shrink()

    threads = [threading.Thread(target=work, args=(bound,)) for bound in (10**9, 1500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not [p for p in entries(FrameCache(tmp_path)) if p.name.endswith(".part")]


def put_by_hand(cache, key, manifest, arrays):
    path = cache._path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    store.save(path, manifest, arrays)


@pytest.mark.parametrize(
    "features",
    [
        np.zeros(6, np.float32),
        np.zeros((1, 2, 3), np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((2, 0), np.float32),
        np.float32(3),
        np.zeros((2, 3), np.int64),
        np.array([[0, np.nan, 0]], np.float32),
        np.array([[0, np.inf, 0]], np.float32),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_entries_that_make_no_sense_are_not_taken(tmp_path, features):
    cache = FrameCache(tmp_path)
    key = cache.key("content", {}, "network")
    put_by_hand(cache, key, {"kind": "frame features", "key": key}, {"features": features})
    assert cache.get(key) is None
    assert cache.misses == 1


def test_entries_of_more_frames_are_not_taken(tmp_path):
    cache = FrameCache(tmp_path)
    key = cache.key("content", {}, "network")
    cache.put(key, FEATURES)
    assert cache.get(key, most_steps=2) is not None
    assert cache.get(key, most_steps=1) is None


def test_only_its_own_are_removed(tmp_path):
    """A folder that holds models and other things of the user's as well."""
    cache = FrameCache(tmp_path, max_bytes=0)
    key, other = (cache.key(word, {}, "network") for word in ("a", "b"))
    kept = {
        tmp_path / "runs" / "model.recurra": b"a model",
        tmp_path / key[:2] / "model.recurra": b"a model",
        tmp_path / "zz" / f"{key}.recurra": b"in the wrong place",
        tmp_path / key[:2] / f"{key.upper()}.recurra": b"letters it never writes",
        tmp_path / other[:2] / f"{other}.recurra": b"its name, but not its content",
    }
    for path, content in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    model = tmp_path / "runs" / "whole.recurra"
    store.save(model, {"kind": "model"}, {"w": FEATURES})
    stolen = cache.key("c", {}, "network")
    put_by_hand(cache, stolen, {"kind": "model", "key": stolen}, {"features": FEATURES})
    outside = tmp_path.parent / f"{tmp_path.name}-outside.recurra"
    linked = cache.key("d", {}, "network")
    store.save(outside, {"kind": "frame features", "key": linked}, {"features": FEATURES})
    cache._path(linked).parent.mkdir(exist_ok=True)
    cache._path(linked).symlink_to(outside)
    cache.put(key, FEATURES)  # looks at the bound, which nothing keeps within
    cache.shrink()
    assert not cache._path(key).exists()
    assert {path: path.read_bytes() for path in kept} == kept
    assert model.exists()
    assert cache._path(stolen).exists()
    assert cache._path(linked).is_symlink()
    assert outside.exists()
    assert cache.get(linked) is None
