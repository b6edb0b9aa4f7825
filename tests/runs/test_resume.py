"""What a run that goes on takes from its folder, and what it does not."""

import pytest

import recurra
from recurra.errors import UsageError
from recurra.runs.compare import compare
from recurra.runs.folder.files import RunFolder
from recurra.runs.resume import storage_places


def test_a_cache_that_a_config_names_is_not_used(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert storage_places(run, {"cache_dir": str(tmp_path / "elsewhere")}, {}) == {"cache_dir": None}
    inside = {"cache_dir": "cache"}
    assert storage_places(run, inside, {}) == {"cache_dir": str((tmp_path / "run" / "cache").resolve())}
    assert storage_places(run, {"cache_dir": "/x"}, {"cache_dir": "/x"}) == {}


def test_a_model_file_is_no_run_to_go_on_with_or_to_be_compared_without_data(tmp_path):
    model = tmp_path / "model.recurra"
    model.write_bytes(b"any")
    with pytest.raises(UsageError, match=r"model\.recurra is a file; a training goes on in the run folder"):
        recurra.train(resume=model)
    with pytest.raises(UsageError, match=r"compare: .*model\.recurra is a model file, .* with data=\."):
        compare(tmp_path, model)
