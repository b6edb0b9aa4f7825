"""What a run that goes on takes from its folder, and what it does not."""

from recurra.runs.folder.files import RunFolder
from recurra.runs.resume import storage_places


def test_a_cache_that_a_config_names_is_not_used(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert storage_places(run, {"cache_dir": str(tmp_path / "elsewhere")}, {}) == {"cache_dir": None}
    inside = {"cache_dir": "cache"}
    assert storage_places(run, inside, {}) == {"cache_dir": str((tmp_path / "run" / "cache").resolve())}
    assert storage_places(run, {"cache_dir": "/x"}, {"cache_dir": "/x"}) == {}
