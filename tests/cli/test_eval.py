"""``eval``: the run's own test part, new data, pages beside the report."""

import json

import pytest

import recurra
from recurra.errors import DataError, MissingDataError, UsageError


def test_the_own_test_part_gives_the_figures_of_the_training(cli, trained):
    run = trained("long")
    before = (run.path / "report.html").read_bytes()
    done = cli("eval", run.path, "--json")
    assert done.code == 0
    judged = json.loads(done.out)
    assert judged == {name: run.metrics[name] for name in judged}
    assert json.loads((run.path / "eval-test.json").read_text()) == judged
    assert (run.path / "eval-test.html").exists()
    assert (run.path / "report.html").read_bytes() == before


def test_the_data_of_the_training_are_judged_on_their_test_part_only(trained, forms):
    run = trained("long")
    judged = recurra.evaluate(run.path, forms / "old.csv", write=False)
    assert judged.metrics["n_test"] == run.metrics["n_test"] < 36
    named = trained("named")
    assert recurra.evaluate(named.path, "japanese-vowels", write=False).metrics["n_test"] == 370


def test_new_data_add_a_page(cli, forms, trained):
    run = trained("folder")
    done = cli("eval", run.path, forms / "new", "--name", "march 1")
    assert done.code == 0
    assert (run.path / "eval-march-1.html").exists()
    assert f"Report: {run.path / 'eval-march-1.html'}" in done.out
    assert "Judged on: All 9 sequences" in done.err
    assert done.out.splitlines()[-1].startswith(f"recurra explain {run.path} {forms / 'new'} --index ")


def test_data_of_another_kind_are_judged_alike(forms, trained):
    """Labels and channels are the same thing in a folder and in a table."""
    run = trained("long")
    table = recurra.evaluate(run.path, forms / "new.csv", write=False)
    folder = recurra.evaluate(run.path, forms / "new", write=False)
    assert folder.metrics["log_loss"] == pytest.approx(table.metrics["log_loss"], rel=1e-12)
    archive = recurra.evaluate(run.path, forms / "new.ts", write=False)  # takes none of the table's words
    assert archive.metrics["log_loss"] == pytest.approx(table.metrics["log_loss"], rel=1e-12)


@pytest.mark.usefixtures("no_charts")
def test_changed_data_are_not_taken_for_the_test_part(forms, tmp_path):
    import shutil

    shutil.copy(forms / "old.ts", tmp_path / "data.ts")
    words = {"hidden_size": 2, "max_epochs": 1, "verbose": 0}
    run = recurra.train(tmp_path / "data.ts", out=tmp_path / "run", seed=0, **words)
    lines = (tmp_path / "data.ts").read_text().splitlines()
    (tmp_path / "data.ts").write_text("\n".join(lines[:-3]) + "\n")
    with pytest.raises(
        DataError, match="is no longer what .* was trained on, so its test part cannot be found again"
    ):
        recurra.evaluate(run.path)


def test_channels_are_found_by_name(cli, forms, trained, tmp_path):
    run = trained("long")
    table = [line.split(",") for line in (forms / "new.csv").read_text().splitlines()]
    turned = [",".join([row[0], row[2], row[1], *row[3:]]) for row in table]
    (tmp_path / "turned.csv").write_text("\n".join(turned) + "\n")
    expected = recurra.evaluate(run.path, forms / "new.csv", write=False).metrics
    assert recurra.evaluate(run.path, tmp_path / "turned.csv", write=False).metrics == expected
    (tmp_path / "other.csv").write_text((forms / "new.csv").read_text().replace("ax", "axx", 1))
    done = cli("eval", run.path, tmp_path / "other.csv")
    assert done.code == 3
    assert done.err.splitlines()[-1] == (
        f"Error: {tmp_path / 'other.csv'}: has no channel 'ax'; the network was trained on 'ax', 'ay', the data have "
        "'axx', 'ay'. Did you mean 'axx'? Rename the columns."
    )


def test_labels_that_are_missing(cli, forms, trained):
    done = cli("eval", trained("folder").path, forms / "new-unlabelled.csv", "--id", "recording")
    assert done.code == 3
    assert (
        "has no labels to judge by. Name their column with --label or --target, or use predict." in done.err
    )


def test_what_is_not_there(cli, trained, tmp_path):
    assert cli("eval", tmp_path / "none").code == 3
    assert cli("eval", trained("folder").path, tmp_path / "none.csv").code == 3
    with pytest.raises(UsageError, match=r"evaluate: there is no word 'labl'\. Did you mean 'label'\?"):
        recurra.evaluate(trained("folder").path, "x", labl="y")
    with pytest.raises(MissingDataError):
        recurra.evaluate(tmp_path / "none")


def test_a_damaged_model_is_bad_data(cli, trained, tmp_path):
    import shutil

    shutil.copytree(trained("folder").path, tmp_path / "run")
    model = tmp_path / "run" / "model.recurra"
    model.write_bytes(model.read_bytes()[:-10])
    done = cli("eval", tmp_path / "run")
    assert done.code == 3
    assert done.err.startswith(f"Error: {model}: ")
