import pytest

from recurra.errors import UsageError
from recurra.runs.search.space import Range, space
from recurra.runs.tasks import TASKS

EVERY = [(task, kind) for task, kinds in TASKS.items() for kind in kinds]


@pytest.mark.parametrize(("task", "kind"), EVERY)
def test_every_task_has_ranges_whose_ends_its_options_take(task, kind):
    from recurra.fitting.option_checks import check_params

    found = space(task, kind, [], [])
    assert {"hidden_size", "learning_rate"} <= set(found)
    for name, where in found.items():
        for value in where.choices or (where.low, where.high):
            check_params("test", {name: value})


def test_own_ranges_take_the_place_of_usual_ones_or_join_them():
    own = [
        "hidden_size=8..32,log",
        "cell=lstm|rnn",
        "weight-decay=0.0001..0.1,log",
        "bidirectional=true|false",
    ]
    found = space("classify", "sequence", own, ["dropout"])
    assert found["hidden_size"] == Range(8, 32, log=True)
    assert found["cell"] == Range(choices=("lstm", "rnn"))
    assert found["weight_decay"] == Range(0.0001, 0.1, log=True)
    assert found["bidirectional"] == Range(choices=(True, False))
    assert "dropout" not in found
    assert str(found["hidden_size"]) == "8..32,log"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden_size", "search must be a name and a range such as 'hidden_size=16..256,log'"),
        (
            "hiden_size=1..2",
            "'hiden_size' is no option of the task that can be searched. Did you mean 'hidden_size'?",
        ),
        ("callbacks=1..2", "'callbacks' is no option of the task that can be searched."),
        ("hidden_size=8", "'hidden_size=8' is no range: give two numbers"),
        ("hidden_size=8..x", "'x' in 'hidden_size=8..x' is no value of hidden_size (int)"),
        ("hidden_size=32..8", "its first number must not be above the second"),
        ("dropout=0..0.5,log", "above 0 with log"),
        ("hidden_size=0..8", "hidden_size must be a whole number of at least 1; got 0"),
        ("cell=lstm|elman", "cell must be"),
        ("dropout=0..0.5", "dropout is both given and searched"),
    ],
)
def test_what_is_no_range_is_answered_in_a_sentence(text, message):
    with pytest.raises(UsageError) as raised:
        space("classify", "sequence", [text], ["dropout"] if "both" in message else [])
    assert message in str(raised.value)
