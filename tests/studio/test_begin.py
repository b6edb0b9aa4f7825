"""A training that is begun is a process of its own, whose end is waited for and whose last words are kept."""

import gc
import time

import pytest

from recurra.studio import begin


@pytest.fixture
def command(monkeypatch):
    """Begin a program instead of a training."""

    def call(program, folder):
        monkeypatch.setattr(begin, "COMMAND", ("-c", program))
        return begin.Begun([], folder)

    return call


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_last_words_and_code_are_kept(command, tmp_path):
    begun = command(
        "import sys; print('\\n'.join(map(str, range(20))), file=sys.stderr); sys.exit(3)", tmp_path
    )
    until(lambda: begun.code is not None)
    assert begun.code == 3
    assert begun.said() == [str(number) for number in range(12, 20)]


def test_it_goes_on_when_the_page_is_gone(command, tmp_path):
    begun = command(
        "import time, pathlib\nwhile not pathlib.Path('end').exists(): time.sleep(0.02)\npathlib.Path('ended').touch()",
        tmp_path,
    )
    assert begun.code is None
    assert begun.said() == []
    del begun
    gc.collect()  # a process or a file that nobody holds would be warned of, which is an error in tests
    (tmp_path / "end").touch()
    until((tmp_path / "ended").exists)
