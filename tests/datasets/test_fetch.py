import functools
import hashlib
import http.server
import threading

import pytest

from recurra.datasets.fetch import Source, SourceFile, cache_folder, find
from recurra.errors import DataError, MissingDataError

CONTENT = b"a,b\n1,2\n" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def source(file):
    return Source("toy", "a toy", "toy-folder", (file,), "https://example.org/toy", "CC0", "nobody")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECURRA_DATA", raising=False)


@pytest.fixture
def server(tmp_path):
    """A real HTTP server on this machine with one file."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "toy.csv").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "www"))
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def message(kind, file):
    with pytest.raises(kind) as caught:
        find(source(file), file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_order_is_data_folder_cache_download(tmp_path, monkeypatch, server):
    file = SourceFile("toy.csv", DIGEST, f"{server}/toy.csv")
    got = find(source(file), file)
    assert got == tmp_path / "cache" / "toy-folder" / "toy.csv"
    assert got.read_bytes() == CONTENT
    (tmp_path / "www" / "toy.csv").unlink()
    assert find(source(file), file) == got  # the cache answers, nothing is asked for
    own = tmp_path / "own" / "toy-folder"
    own.mkdir(parents=True)
    (own / "toy.csv").write_bytes(CONTENT)
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "own"))
    assert find(source(file), file) == own / "toy.csv"


def test_download_of_something_else_leaves_nothing(tmp_path, server):
    file = SourceFile("toy.csv", "0" * 64, f"{server}/toy.csv")
    text = message(MissingDataError, file)
    assert text == (
        f"data set 'toy': {server}/toy.csv answered with a file of SHA-256 {DIGEST}, expected {'0' * 64}. "
        f"Get it from https://example.org/toy and put it into {tmp_path / 'cache' / 'toy-folder'}."
    )
    assert list((tmp_path / "cache" / "toy-folder").iterdir()) == []


def test_unreachable(tmp_path, server):
    file = SourceFile("none.csv", DIGEST, f"{server}/none.csv")
    assert message(MissingDataError, file) == (
        "data set 'toy': the file none.csv is not on this machine and the download failed (Not Found or "
        "File not found). "
        f"Get it from {server}/none.csv (SHA-256 {DIGEST}) and put it into "
        f"{tmp_path / 'cache' / 'toy-folder'}, "
        "or into the folder 'toy-folder' of $RECURRA_DATA."
    ).replace("Not Found or File not found", "File not found")
    assert list((tmp_path / "cache" / "toy-folder").iterdir()) == []


def test_no_address():
    file = SourceFile("toy.csv", DIGEST)
    assert (
        "is not on this machine and it cannot be downloaded directly. Get it from https://example.org/toy"
        in message(MissingDataError, file)
    )


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / "cache" / "toy-folder" / "toy.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:-1])
    text = message(DataError, SourceFile("toy.csv", DIGEST))
    assert text.startswith(f"{path}: is not the file of data set 'toy': its SHA-256 is ")
    assert text.endswith("It may be cut or of another version: delete it and get it again.")


def test_cache_that_cannot_be_written(tmp_path, monkeypatch, server):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "file"))
    text = message(MissingDataError, SourceFile("toy.csv", DIGEST, f"{server}/toy.csv"))
    assert "and the download failed (" in text


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("RECURRA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "recurra"
