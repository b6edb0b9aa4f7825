"""Every constructor word is a flag with the same default, and every word of a table one of the data."""

from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from recurra.cli import flags
from recurra.cli.verbs.train import command as train_command
from recurra.options import OPTIONS as WORDS
from recurra.readers.tables.table_options import KEPT, TableOptions
from recurra.runs.command_line import PYTHON_ONLY, as_arguments, flag_of
from recurra.runs.data.options import DATA_OPTIONS
from recurra.runs.tasks import TASKS, all_defaults, estimator_class

OPTIONS = {option.name: option for option in train_command.params if isinstance(option, click.Option)}
ON_THE_LINE = [word for word in WORDS if word not in PYTHON_ONLY]


def parsed(*args):
    """Return the words that the train command's flags give."""
    context = train_command.make_context("train", ["data", *args])
    return flags.given(
        {name: value for name, value in context.params.items() if name in {**WORDS, **DATA_OPTIONS}}
    )


def test_only_objects_of_python_have_no_flag():
    assert set(WORDS) - set(OPTIONS) == set(PYTHON_ONLY) == {"network", "callbacks"}
    assert set(ON_THE_LINE) <= set(flags.FLAG_OF)
    assert not set(PYTHON_ONLY) & set(flags.FLAG_OF)


@pytest.mark.parametrize("word", ON_THE_LINE)
def test_the_flag_has_the_word_with_hyphens(word):
    own = {"random_state": "--seed", "budget_s": "--budget"}
    expected = own.get(word, "--" + word.replace("_", "-"))
    assert expected in OPTIONS[word].opts
    assert WORDS[word].help in OPTIONS[word].help


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("1.5h", 5400)])
def test_a_budget_is_seconds_or_has_a_unit(text, seconds):
    assert parsed("--budget", text) == {"budget_s": seconds}


def test_a_flag_that_is_not_given_is_not_passed_on():
    assert parsed() == {}


@pytest.mark.parametrize(("task", "kind"), [(task, kind) for task, kinds in TASKS.items() for kind in kinds])
def test_flags_give_the_defaults_of_the_constructor(task, kind):
    estimator = estimator_class(task, kind)(**parsed())
    assert estimator.get_params() == estimator_class(task, kind)().get_params()


@pytest.mark.parametrize("word", [word for word in ON_THE_LINE if word != "random_state"])
def test_the_help_shows_the_default_and_the_flag_takes_it(word):
    defaults = [words[word] for words in all_defaults() if word in words]
    default = defaults[0]
    shown = OPTIONS[word].help.split("[default: ")[1].rstrip("]")
    if defaults.count(default) < len(defaults):
        assert shown == "by task"
        return
    if isinstance(default, tuple):
        assert shown == (",".join(str(number) for number in default) or "nothing")
        assert parsed(flag_of(word), "5,6")[word] == [5, 6]
        return
    if default == "auto" and not OPTIONS[word].is_flag:
        assert shown == "auto"
        assert parsed(flag_of(word), "auto") == {word: "auto"}
        choices = getattr(OPTIONS[word].type, "choices", ())
        given, value = (choices[-1], choices[-1]) if choices else ("0.25", 0.25)
        assert parsed(flag_of(word), given) == {word: value}
        return
    if default == "auto":  # neither --wide nor --no-wide
        assert shown == "auto"
        for flag, value in ((flag_of(word), True), ("--no-" + flag_of(word)[2:], False)):
            assert parsed(flag) == {word: value}
        return
    if isinstance(default, bool):
        assert shown == ("on" if default else "off")
        given = parsed(flag_of(word) if default else "--no-" + flag_of(word)[2:])
    else:
        assert shown == ("none" if default is None else str(default))
        given = parsed(flag_of(word), shown)
    assert given == {word: default}
    assert type(given[word]) is type(default)


def test_none_is_a_word():
    assert parsed("--grad-clip", "none", "--patience", "none", "--class-weight", "none") == {
        "grad_clip": None, "patience": None, "class_weight": None,
    }  # fmt: skip
    # "none" is a scaling, not the absence of one.
    assert parsed("--scaling", "none") == {"scaling": "none"}
    assert parsed("--grad-clip", "2.5", "--patience", "3") == {"grad_clip": 2.5, "patience": 3}


def test_a_number_or_none_is_nothing_else():
    done = CliRunner().invoke(train_command, ["data", "--grad-clip", "much"])
    assert done.exit_code == 2
    assert "'much' is neither a number nor none." in done.output


# What a program says to the reader and no user does: which words were given, that time stamps are kept for answers, and what
# the numbers of a like table were found to spell.
OF_PROGRAMS = ("given", *KEPT)


def test_words_of_a_table_are_the_flags_of_the_data():
    others = ("split_number", "on_disk")  # of clips, and of many tables
    of_tables = [word for word in DATA_OPTIONS if word not in others]
    assert of_tables == [field.name for field in fields(TableOptions) if field.name not in OF_PROGRAMS]
    assert set(DATA_OPTIONS) <= set(OPTIONS)


def test_columns_given_once_and_several_times():
    assert parsed("--target", "x") == {"target": "x"}
    assert parsed("--target", "x", "--target", "y", "--channels", "a") == {
        "target": ["x", "y"],
        "channels": ["a"],
    }
    assert parsed("--sort", "--sample-rate-hz", "50") == {"sort": True, "sample_rate_hz": 50.0}


def test_words_become_flags_and_come_back():
    words = {
        "hidden_size": 7, "bidirectional": True, "grad_clip": None, "scaling": "none", "learning_rate": 0.01,
        "id": "the id", "target": ["x", "y"], "sort": True, "random_state": 5,
    }  # fmt: skip
    assert parsed(*as_arguments(words)) == words
    assert as_arguments({"bidirectional": False}) == ["--no-bidirectional"]
    assert as_arguments({"network": len, "callbacks": [], "class_weight": {"a": 2}, "optimizer": int}) == []


def test_help_stands_in_sections():
    text = CliRunner().invoke(train_command, ["--help"]).output
    places = [
        text.index(heading)
        for heading in ("\nOptions:", "\nHow the data are read:", "\nNetwork and training:")
    ]
    assert places == sorted(places)
    assert places[1] < text.index("--label-per") < places[2] < text.index("--hidden-size")


@pytest.mark.parametrize("text", ["mean,max", "mean+max"])
def test_several_poolings_have_commas_or_plus_between(text):
    assert parsed("--pooling", text) == {"pooling": "mean+max"}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("a,b,c",), ["a", "b", "c"]),
        (("a, b",), ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        (("a,b", "c"), ["a,b", "c"]),  # several flags stand as they are
        (('"a,b",c',), ["a,b", "c"]),
        (("acc [g]",), ["acc [g]"]),
    ],
)
def test_several_names_in_one_flag(given, names):
    found = flags.given({"channels": given})["channels"]
    assert found == names
    again = as_arguments({"channels": found})
    values = tuple(again[1::2])
    assert flags.given({"channels": values})["channels"] == names
