"""`TextGenerator`: it learns, it writes what it learned, and its figures are those of the definition."""

import math

import numpy as np
import pytest
import torch

import recurra
from recurra import TextGenerator
from recurra.errors import DataError, MissingDataError, RecurraWarning, UsageError
from recurra.features.texts.tokens import Words
from recurra.fitting.task import Start, TrainingData
from recurra.fitting.tasks.language import LanguageTask
from recurra.recipes.language import DECIDED
from recurra.serving.streams import language_model

pytest.importorskip("tokenizers")
TEXT = ["abcd" * 60]


def make(**words):
    return TextGenerator(
        **{
            "learning_rate": 0.02,
            "hidden_size": 16,
            "max_epochs": 25,
            "tbptt": 20,
            "batch_size": 4,
            "random_state": 0,
            "verbose": 0,
            **words,
        }
    )


@pytest.fixture(scope="module")
def fitted():
    return make().fit(TEXT)


def test_it_learns_an_alphabet_and_writes_it(fitted, tmp_path):
    assert fitted.generate("ab", length=6, temperature=0) == "cdabcd"
    ev = fitted.evaluate(["abcd" * 10], samples=1, length=10)
    assert ev.metrics["bits_per_character"] < 0.5
    assert ev.metrics["bits_per_character_baseline"] == pytest.approx(2, abs=0.2)
    assert ev.metrics["perplexity"] < 1.5
    assert fitted.score(["abcd" * 10]) == -ev.metrics["bits_per_character"]
    ev.save(tmp_path / "report.html")
    assert "<html" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_figure_is_that_of_torch(cell, monkeypatch):
    monkeypatch.setattr(language_model, "STRETCH", 16)
    monkeypatch.setattr(
        language_model, "CONTEXT", 10_000
    )  # every stretch reads all that stands before: exact
    from recurra.nn.networks.sequence_network import NetworkConfig, from_arrays
    from recurra.training.language_modelling import step_nats

    clf = make(cell=cell, max_epochs=2, num_layers=2).fit(TEXT)
    ids = clf.model_.features.steps[0].numbers("abcdabdcca" * 5)
    network = from_arrays(NetworkConfig.from_dict(clf.model_.manifest["network"]), clf.model_.weights).eval()
    with torch.no_grad():
        nats, _ = step_nats(network, torch.from_numpy(ids)[None], None)
    found = language_model.nats(clf.model_.manifest["network"], clf.model_.weights, ids)
    assert found.mean() == pytest.approx(float(nats.mean()), abs=1e-5)


def test_the_state_goes_on_where_the_gradient_is_cut():
    from recurra.nn.networks.sequence_network import NetworkConfig, build
    from recurra.training.language_modelling import step_nats

    front = {"name": "embedding", "vocabulary": 5, "size": 3}
    config = NetworkConfig(
        cell="lstm", input_size=1, hidden_size=4, output_size=5, pooling="none", front=front
    )
    network = build(config, seed=0).eval()
    piece = torch.from_numpy(np.random.default_rng(0).integers(0, 5, (2, 9)))
    with torch.no_grad():
        whole, _ = step_nats(network, piece, None)
        first, state = step_nats(network, piece[:, :5], None)
        second, _ = step_nats(network, piece[:, 4:], state)
    np.testing.assert_allclose(
        torch.cat([first.reshape(2, -1), second.reshape(2, -1)], 1), whole.reshape(2, -1), atol=1e-6
    )


def test_streams_lose_no_token_and_cover_the_text_once():
    from recurra.training.language_modelling import cut_into_streams

    streams = cut_into_streams(np.arange(22), 4)
    assert streams.shape == (4, 6)
    assert streams[:, 1:].reshape(-1).tolist() == list(range(1, 21))
    assert cut_into_streams(np.arange(2), 8).shape == (1, 2)
    with pytest.raises(DataError, match="at least 2 tokens; got 1"):
        cut_into_streams(np.arange(1), 8)


def test_same_seed_same_text_and_no_global_generator(fitted):
    before = torch.get_rng_state()
    other = make().fit(TEXT)
    assert torch.equal(before, torch.get_rng_state())
    for name, weight in fitted.model_.weights.items():
        np.testing.assert_array_equal(weight, other.model_.weights[name])
    assert fitted.generate("a", length=30, random_state=3) == other.generate("a", length=30, random_state=3)
    assert fitted.generate("a", length=60, temperature=9.0, random_state=3) != fitted.generate(
        "a", length=60, temperature=9.0, random_state=4
    )


def test_what_is_drawn_from():
    class Fixed(language_model.Writer):
        def __init__(self, **words):
            self._rng, self._banned = np.random.default_rng(0), [0]
            self._temperature, self._top_k, self._top_p = 1.0, None, None
            vars(self).update(words)

    outputs = np.log([0.5, 0.2, 0.2, 0.06, 0.04])
    drawn = {Fixed(_rng=np.random.default_rng(s))._draw(outputs.copy()) for s in range(80)}
    assert drawn == {1, 2, 3, 4}
    assert {Fixed(_top_k=1, _rng=np.random.default_rng(s))._draw(outputs.copy()) for s in range(20)} == {1}
    # Without the banned one, 0.4 and 0.8 are gathered by the first two: 0.6 needs both, not the third.
    assert {Fixed(_top_p=0.6, _rng=np.random.default_rng(s))._draw(outputs.copy()) for s in range(60)} == {
        1,
        2,
    }
    assert Fixed(_temperature=0)._draw(outputs.copy()) == 1


def test_it_comes_piece_by_piece_and_from_the_file(fitted, tmp_path):
    pieces = fitted.write("ab", length=5, temperature=0)
    assert next(pieces) == "c"
    assert "".join(pieces) == "dabc"
    fitted.save(tmp_path / "w.recurra")
    loaded = recurra.load_model(tmp_path / "w.recurra")
    assert loaded.generate("b", length=20, random_state=1) == fitted.generate("b", length=20, random_state=1)
    with pytest.raises(UsageError, match="holds a network that writes"):
        recurra.load_model(tmp_path / "w.recurra", runtime="light")


def test_byte_pairs_and_words_are_written_as_text():
    pairs = Words.fit(["naïve café, naïve café"] * 3, level="bpe", max_vocabulary=280, lowercase=False)
    assert "".join(pairs.written(pairs.numbers("naïve café ☃").tolist())) == "naïve café ☃"
    words = Words.fit(["it doesn't matter, or does it?"])
    text = "".join(words.written(words.numbers("it does, or does it?").tolist()))
    assert text == " it does, or does it?"


def test_validation_keeps_the_best_epoch():
    clf = make(max_epochs=4, tbptt=50, validation_fraction=0.3).fit(["abcd" * 600])
    losses = [row["valid_loss"] for row in clf.history_]
    assert clf.model_.manifest["training"]["best_epoch"] == 1 + int(np.argmin(losses))
    ids = clf.model_.features.steps[0].numbers(("abcd" * 600)[1680:])
    found = language_model.nats(clf.model_.manifest["network"], clf.model_.weights, ids).mean()
    assert found == pytest.approx(min(losses), rel=1e-6)
    assert not math.isnan(found)


@pytest.mark.parametrize("X", ["", "  \n", [], ["a", ""]])
def test_nothing_to_learn_from(X):
    with pytest.raises(DataError) as caught:
        make().fit(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"temperature": -1}, "temperature must be a number of at least 0"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1"),
        ({"top_p": 0}, "top_p must be a number in"),
        ({"length": -1}, "length must be a whole number of at least 0"),
    ],
)
def test_options_out_of_range(fitted, words, expected):
    with pytest.raises(UsageError, match=expected):
        fitted.generate("a", **words)


def test_a_path_is_read_and_one_line_that_is_none_is_refused(tmp_path, monkeypatch):
    lines = "ab cd\nab cd\n" * 20
    (tmp_path / "novel.txt").write_text(lines)
    monkeypatch.chdir(tmp_path)
    given = "novel.txt", tmp_path / "novel.txt", [lines]
    first, *others = (make(max_epochs=1).fit(X).generate("a", length=20, random_state=0) for X in given)
    assert others == [first] * 2
    clf = make(max_epochs=1).fit("novel.txt")
    assert clf.score("novel.txt") == clf.score([lines])
    for call in (make().fit, clf.score, clf.evaluate, lambda X: make().fit([lines], validation=X)):
        for text in ("novle.txt", "some words", "x" * 5000, "a\0b"):
            with pytest.raises(MissingDataError) as caught:
                call(text)
            assert "there is no file" in str(caught.value)
            assert "Pass [text] for a single text." in str(caught.value)
            assert len(str(caught.value)) < 220


@pytest.mark.parametrize(
    ("tokens", "prompt", "unknown"),
    [("character", "abxdz", r"'x', 'z'"), ("word", "abcd Ab", "'Ab'")],
)
def test_symbols_of_a_prompt_that_are_not_known_are_said(tokens, prompt, unknown):
    model = make(max_epochs=1, tokens=tokens, lowercase=False).fit(["abcd dcba " * 60])
    for ask in (model.write, model.generate):
        with pytest.warns(
            RecurraWarning, match=rf"prompt holds symbols never seen in training \({unknown}\)"
        ):
            ask(prompt, length=1)
    model.generate("abcd", length=1)  # warnings are errors here


def test_the_length_of_a_text_decides_how_often_it_is_read():
    def decided(length, **options):
        data = TrainingData("a" * length, [])
        return LanguageTask().decide(TextGenerator(**options), data, Start("TextGenerator", 0, None))

    epochs = [decided(length).get("max_epochs") for length in (100, 100_000, 200_000, 250_000, 250_001)]
    assert epochs == [25, 25, 12, 10, None]
    for given in (
        {"dropout": 0.1},
        {"hidden_size": 8},
        {"tokens": "word"},
        {"tbptt": None},
        {"max_epochs": 3},
    ):
        assert decided(100, **given) == {}
    assert decided(100, random_state=3, verbose=0) == decided(100)


def test_what_was_decided_is_said_kept_and_repeated_by_hand():
    text = ["the cat sat on the mat. " * 8]
    bare = TextGenerator(random_state=0, verbose=0).fit(text)
    assert bare.recipe_.startswith("Recipe: batch_size=16, tbptt=50, max_epochs=25")
    own = {name: bare.model_.manifest["params"][name] for name in DECIDED}
    by_hand = TextGenerator(random_state=0, verbose=0, **own).fit(text)
    assert by_hand.recipe_ == ""
    for name, array in bare.model_.weights.items():
        assert np.array_equal(array, by_hand.model_.weights[name])
    assert bare.get_params()["max_epochs"] == 10
