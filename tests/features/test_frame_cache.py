"""What is kept is found by content, whole or not at all, within a bound, and shared."""

import os
import threading

import numpy as np

from recurra.features.frame_cache import FrameCache, content_hash

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
