"""Run folders: found, free, whole or as before."""

import json

import pytest

from recurra.errors import MissingDataError, StoreError, UsageError
from recurra.runs.folder import opening, ownership
from recurra.runs.folder.files import RunFolder


def finished(folder, word="old"):
    folder.mkdir(parents=True)
    for name in ("config.json", "metrics.json", "model.recurra"):
        (folder / name).write_text(word)
    return folder


def fails(folder, begin):
    """Begin a run and fail."""

    def attempt():
        with ownership.owned(folder), ownership.new_run(folder) as run:
            begin(run)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        attempt()


def test_a_run_is_found_by_folder_and_by_model_file(tmp_path):
    run = finished(tmp_path / "run")
    assert opening.open_run(run).path == run
    assert opening.open_run(run / "model.recurra").path == run


def test_a_missing_run_names_those_nearby(tmp_path):
    finished(tmp_path / "one")
    with pytest.raises(MissingDataError, match=r"two: there is no such run\. Runs there: .*one\.$"):
        opening.open_run(tmp_path / "two")
    with pytest.raises(
        MissingDataError, match=r"there is no such run\. Train one first: recurra train DATA -o RUN\.$"
    ):
        opening.open_run(tmp_path / "a" / "b")


def test_a_folder_that_is_no_run_and_one_not_finished(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(MissingDataError, match=r"x: is no run folder: it has no model\.recurra\."):
        opening.open_run(tmp_path / "x")
    (tmp_path / "x" / "config.json").write_text("{}")
    with pytest.raises(
        MissingDataError, match=r"not finished: it has no model\.recurra\. Go on with: recurra resume "
    ):
        opening.open_run(tmp_path / "x")


def test_a_folder_is_free_empty_taken_or_foreign(tmp_path):
    assert opening.check_place(tmp_path / "new") == tmp_path / "new"
    opening.check_free(tmp_path / "new", force=False)
    (tmp_path / "empty").mkdir()
    opening.check_place(tmp_path / "empty")
    opening.check_free(tmp_path / "empty", force=False)
    run = finished(tmp_path / "run")
    with pytest.raises(
        UsageError, match=r"run holds a run; give another folder, or replace it with force=True\.$"
    ):
        opening.check_free(run, force=False)
    opening.check_free(run, force=True)
    (run / "model.recurra").unlink()
    with pytest.raises(
        UsageError, match=r"holds a run that was not finished; .*, or go on with: recurra resume "
    ):
        opening.check_free(run, force=False)
    (tmp_path / "empty" / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds files that are no run; give another folder"):
        opening.check_place(tmp_path / "empty")
    with pytest.raises(UsageError, match=r"out must be a folder; .*thesis\.tex is a file"):
        opening.check_place(tmp_path / "empty" / "thesis.tex")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match="link is a link that leads to nothing"):
        opening.check_place(tmp_path / "link")
    assert opening.check_place(run) == run


def test_a_new_run_replaces_the_old_one_when_it_is_whole(tmp_path):
    folder = finished(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    (folder / "eval-march.html").write_text("of the old network")
    with ownership.owned(folder), ownership.new_run(folder) as run:
        run.write_json("config.json", {"new": True})
        assert (folder / "config.json").read_text() == "old"
    assert json.loads((folder / "config.json").read_text()) == {"new": True}
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "notes.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_that_fails_leaves_the_old_one(tmp_path):
    folder = finished(tmp_path / "run")
    fails(folder, lambda run: run.write_json("config.json", {"new": True}))
    assert (folder / "config.json").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_that_fails_leaves_nothing_unless_there_is_a_checkpoint(tmp_path):
    fails(tmp_path / "a", lambda run: run.write_json("config.json", {}))
    assert not (tmp_path / "a").exists()

    def with_checkpoint(run):
        run.write_json("config.json", {})
        (run / "checkpoints").mkdir()
        (run / "checkpoints" / "step-00000001.recurra").write_text("x")

    fails(tmp_path / "b", with_checkpoint)
    assert ownership.unfinished(tmp_path / "b").path == tmp_path / "b"
    old = finished(tmp_path / "old")
    fails(old, with_checkpoint)
    assert (old / "config.json").read_text() == "old"
    assert ownership.unfinished(old).path == tmp_path / ".old.new"
    (tmp_path / "c").mkdir()
    fails(tmp_path / "c", lambda run: None)
    assert (tmp_path / "c").exists()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"half":')
    with pytest.raises(StoreError, match=r"config\.json: is damaged: it cannot be read as JSON"):
        RunFolder(tmp_path).config()
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(StoreError, match="must hold a JSON object"):
        RunFolder(tmp_path).config()
    with pytest.raises(MissingDataError, match=r"metrics\.json: there is no such file"):
        RunFolder(tmp_path).metrics()


def test_history_is_read_back_without_a_cut_line(tmp_path):
    run = RunFolder(tmp_path)
    assert run.history() == []
    run.append_history({"epoch": 1, "train_loss": 0.5})
    run.append_history({"epoch": 2, "train_loss": 0.4})
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 3, "tr')
    assert [row["epoch"] for row in run.history()] == [1, 2]


def test_a_line_that_does_not_fit_is_not_written_in_part(tmp_path):
    import resource
    import signal

    run = RunFolder(tmp_path)
    run.append_history({"epoch": 1})
    size = (tmp_path / "history.jsonl").stat().st_size
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*history\.jsonl"):
            run.append_history({"epoch": 2, "train_loss": 0.5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "history.jsonl").read_text() == '{"epoch": 1}\n'


@pytest.mark.parametrize("moment", ["old moved away", "new moved in"])
def test_a_replacement_killed_half_way_is_completed(tmp_path, moment):
    folder = finished(tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    new = finished(tmp_path / ".run.new", "new")
    folder.rename(tmp_path / ".run.old")
    if moment == "new moved in":
        new.rename(folder)
    run = opening.open_run(folder)
    assert (run / "config.json").read_text() == "new"
    assert (run / "notes.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_that_was_to_replace_one_that_is_gone_is_not_taken_for_the_next(tmp_path):
    folder, left = tmp_path / "run", tmp_path / ".run.new"
    left.mkdir()
    (left / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"holds a run that was not finished; .*recurra resume .*run$"):
        opening.check_free(folder, force=False)
    opening.check_free(folder, force=True)
    folder.mkdir()
    with ownership.new_run(folder) as run:
        run.write_json("config.json", {"task": "classify"})
    assert ownership.unfinished(folder).path == folder
    assert not left.exists()


ODD = [None, -1, "zz", [], {}, [1, "a", None], 1.5, True, "a\0b", 10**400]


@pytest.mark.parametrize(
    ("key", "takes"),
    [
        ("data", [None, "zz", "a\0b"]),
        ("data_words", [{}]),
        ("words", [{}]),
        ("beside", [{}]),
        ("seed", [10**400]),
        ("n_test", [10**400]),
        ("test", [None, -1, "zz", 1.5, "a\0b", 10**400]),
        ("kind", ["zz", "a\0b"]),
        ("python_words", [[]]),
        ("channel_names", [None, []]),
    ],
)
def test_a_config_is_input_like_any_other(tmp_path, key, takes):
    path = tmp_path / "config.json"
    for value in ODD:
        path.write_text(json.dumps({"recurra": "0.1.0", key: value}))
        if any(type(value) is type(other) and value == other for other in takes):
            assert RunFolder(tmp_path).config()[key] == value
            continue
        with pytest.raises(StoreError) as caught:
            RunFolder(tmp_path).config()
        assert str(caught.value).startswith(f"{path}: is damaged: {key!r} must be ")
        assert len(str(caught.value)) < len(str(path)) + 200


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "history.jsonl"])
def test_a_run_whose_files_never_end_is_refused(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="is a device, not a"):
        {"config.json": RunFolder.config, "metrics.json": RunFolder.metrics}.get(name, RunFolder.history)(
            RunFolder(tmp_path)
        )


def test_damaged_lines_of_a_history_are_left_out(tmp_path):
    (tmp_path / "history.jsonl").write_bytes(
        b'{"epoch": 1}\n\xff\xfe\n[]\n5\nnull\n' + b"[" * 100_000 + b'\n{"epoch": 2}\n{"epo'
    )
    assert RunFolder(tmp_path).history() == [{"epoch": 1}, {"epoch": 2}]
