"""Sentences that were riddles to newcomers: each is about the case at hand, in the words of who asked."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.checks import check_rate, rate_in_words
from recurra.errors import DataError, UsageError
from recurra.evaluation.results.backtest import skill
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.data.sources import load_like

rng = np.random.default_rng(0)


def series(path, time="date", count=40):
    stamps = pd.date_range("2024-01-01", periods=count).strftime("%Y-%m-%d")
    pd.DataFrame({time: stamps, "sales": rng.normal(size=count).round(2)}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("word", "told"), [("time", "the time of the training"), ("id", "the id of the training")]
)
def test_a_column_that_the_run_names_is_not_blamed_on_the_user(tmp_path, word, told):
    path = series(tmp_path / "new.csv", "month")
    with pytest.raises(
        DataError, match=rf"no column 'Month' \({told}\); .* Name the column of these data with {word}="
    ):
        load_like(path, {word: "Month"}, {})
    with pytest.raises(DataError, match=rf"no column 'Month' \(given as {word}\)"):
        load_like(path, {}, {word: "Month"})


def test_columns_of_labels_that_are_not_used_are_told(tmp_path):
    for number in range(4):
        np.savetxt(
            tmp_path / f"{number}.csv", rng.normal(size=(9, 2)), delimiter=",", header="x,y", comments=""
        )
    rows = "".join(f"{number}.csv,{'ab'[number % 2]},p{number},{20 + number},u\n" for number in range(4))
    (tmp_path / "labels.csv").write_text("file,label,group,age,site\n" + rows)
    (note,) = (note for note in recurra.load(tmp_path).notes if "not used" in note)
    assert (
        "labels.csv: not used: 'age', 'site'. Values of a whole file become static inputs with static="
        in note
    )
    used = recurra.load(tmp_path, static=["age", "site"])
    assert not any("not used" in note for note in used.notes)
    by_target = recurra.load(tmp_path, target="age", group="site").notes
    assert any("not used: 'label', 'group'" in note for note in by_target)


@pytest.mark.parametrize(
    ("mae", "naive", "expected"),
    [(1.0, 2.0, 0.5), (1.0, 4e-14, np.nan), (3e-14, 1e-14, 0.0), (0.0, 0.0, 0.0), (1.0, 0.0, np.nan)],
)
def test_a_naive_error_of_rounding_size_gives_no_skill(mae, naive, expected):
    np.testing.assert_equal(skill(mae, naive, np.array([99.0, np.nan, -100.0])), expected)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1 / 50, "50 steps a second"),
        (1, "1 step a second"),
        (60, "one step a minute"),
        (900, "a step every 15 minutes"),
        (3600, "one step an hour"),
        (86_400, "one step a day"),
        (10 * 86_400, "a step every 10 days"),
        (7 * 86_400, "one step a week"),
        (2.5, "a step every 2.5 seconds"),
    ],
)
def test_rates_in_words(seconds, words):
    assert rate_in_words(1 / seconds) == words


def test_another_rate_in_words():
    with pytest.raises(DataError, match="trained on one step a day, these data have one step an hour"):
        check_rate("X", 1 / 86_400, 1 / 3600)


def test_look_takes_the_task_that_train_would_be_given(tmp_path):
    path = series(tmp_path / "daily.csv")
    found = recurra.look(path, task="forecast")
    assert (found.task, found.problems) == ("Forecaster", [])
    assert "--kind series" in found.next_command
    assert "one step a day" in recurra.look(path).lines()[0]
    with pytest.raises(UsageError, match="did you|Did you mean 'forecast'"):
        recurra.look(path, task="forcast")


def test_a_text_of_several_lines_is_no_list_of_texts():
    with pytest.raises(DataError, match=r"got one str of 2 lines\. Pass \[text\] for a single text"):
        recurra.TextGenerator(verbose=0).fit("one line\nand another")


def test_few_lines_with_a_label_behind_a_tab(tmp_path):
    texts = ["oil leaks at the", "no power in the", "loud noise from the"]
    lines = [
        f"{begin} {part}\t{label}"
        for part in ("pump", "saw", "belt")
        for begin, label in zip(texts, "abc", strict=True)
    ]
    (tmp_path / "few.txt").write_text("\n".join(lines[:8]) + "\n")
    assert recurra.load(tmp_path / "few.txt").class_counts() == {"a": 3, "b": 3, "c": 2}


def test_a_model_file_is_named_in_the_advice():
    with pytest.raises(UsageError, match=r"recurra eval 'my model\.recurra' DATA"):
        judged_part(None, {}, None, {}, who="evaluate", model="my model.recurra")


def test_a_first_row_that_names_nothing_twice(tmp_path):
    (tmp_path / "pairs.tsv").write_text("aba\taba\nabc\tcba\n")
    with pytest.raises(
        DataError, match=r"both called 'aba'\. .* or pass header='none' if the first row holds none"
    ):
        recurra.load(tmp_path / "pairs.tsv")
    data = recurra.load(tmp_path / "pairs.tsv", header="none", source="column_0", target="column_1")
    assert data.X == ["aba", "abc"]
