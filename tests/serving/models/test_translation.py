"""Decoding: the same answers alone and in a batch, greedy a beam of one, and a file that is data."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from recurra import store
from recurra.errors import DataError, RecurraWarning, StoreError, UsageError
from recurra.features.texts.symbols import END, Symbols
from recurra.serving.beam_search import beam, greedy, search
from recurra.serving.models.fitted_model import open_file
from recurra.serving.models.translation import TranslationModel

ALPHABET = "abcdefgh"


def random_model(seed, *, max_length=12, marks=False, **words):
    """Return an untrained translator: whatever it says, it must say it the same way however it is asked."""
    import torch

    from recurra.nn.networks.sequence_network import to_arrays
    from recurra.nn.networks.translator_network import TranslatorConfig, build_translator

    symbols = Symbols.fit([ALPHABET], level="character")
    source = Symbols.fit([ALPHABET], level="character", marks=marks)
    sizes = {"source_size": len(symbols), "target_size": len(symbols), "embedding_size": 7, "hidden_size": 9}
    config = TranslatorConfig(**{"cell": "lstm", **sizes, **words})
    network = build_translator(config, seed=seed)
    with torch.no_grad():  # sharper, so that different sources have different answers
        network.head.weight *= 4
        network.head.bias[:2] = -1e9  # unknown and begin are never written
    weights = to_arrays(network)
    if config.tie_embeddings:
        del weights["head.weight"]
    manifest = {
        "estimator": "Translator",
        "task": "translation",
        "network": config.to_dict(),
        "max_length": max_length,
        "params": {"beam_size": 1, "length_penalty": 1.0},
        "training": {"history": [], "best_epoch": 0},
        "seed": 0,
    }
    return TranslationModel(manifest, source, symbols, weights)


VARIANTS = [
    {"cell": "lstm", "attention": "general"},
    {"cell": "gru", "attention": "additive", "num_layers": 2, "marks": True},
    {"cell": "rnn", "attention": "dot", "input_feeding": True},
    {"cell": "lstm", "attention": "dot", "bidirectional": False, "tie_embeddings": True},
]
texts = st.lists(st.text(ALPHABET, min_size=1, max_size=9), min_size=1, max_size=9)


@settings(max_examples=12, deadline=None)
@given(sources=texts, seed=st.integers(0, 5), beam=st.sampled_from([1, 3]), variant=st.sampled_from(VARIANTS))
def test_an_answer_does_not_depend_on_the_batch(sources, seed, beam, variant):
    model = random_model(seed, **variant)
    together = model.translate(sources, beam_size=beam, n_best=beam)
    for source, answers in zip(sources, together, strict=True):
        (alone,) = model.translate([source], beam_size=beam, n_best=beam)
        assert alone == answers  # scores as well, to the last bit


def test_a_large_batch_is_searched_in_portions_and_shrinks_as_answers_end():
    rng = np.random.default_rng(0)
    sources = ["".join(rng.choice(list(ALPHABET), size=rng.integers(1, 15))) for _ in range(700)]
    model = random_model(3, max_length=30)
    together = model.translate(sources)
    assert len({a.text for (a,) in together}) > 30
    assert len({len(a.symbols) for (a,) in together}) > 3
    for index in rng.choice(700, size=40, replace=False):
        assert model.translate([sources[index]]) == [together[index]]


@settings(max_examples=20, deadline=None)
@given(sources=texts, seed=st.integers(0, 5), longest=st.integers(1, 12), variant=st.sampled_from(VARIANTS))
def test_greedy_is_a_beam_of_one_up_to_the_greatest_length(sources, seed, longest, variant):
    model = random_model(seed, **variant)
    read = model.read(sources)
    one = greedy(model.decoder, read, max_length=longest)
    (other,) = zip(
        *beam(model.decoder, read, beam_size=1, length_penalty=1.0, max_length=longest), strict=True
    )
    for a, b in zip(one, other, strict=True):
        assert (a.symbols, a.cut) == (b.symbols, b.cut)
        assert a.log_probability == pytest.approx(b.log_probability, abs=1e-5)


def test_a_beam_marks_what_does_not_end_as_cut():
    rows = [[1e-9, 0.5, 1e-12, 0.5]] * 4  # the end never comes
    ((*answers,),) = search(Table(rows), [np.array([1])], beam_size=3, length_penalty=1.0, max_length=4)
    assert len(answers) == 3
    assert all(answer.cut and len(answer.symbols) == 4 for answer in answers)
    assert answers[0].log_probability == pytest.approx(4 * np.log(0.5), abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values())))
def test_decoding_agrees_with_the_torch_network(variant):
    import torch

    from recurra.inputs.pairs import Pairs
    from recurra.nn.networks.translator_network import TranslatorConfig, translator_from_arrays
    from recurra.ragged import Ragged

    model = random_model(1, **variant)
    network = translator_from_arrays(TranslatorConfig.from_dict(model.manifest["network"]), model.weights)
    sources = ["abc", "h", "gfedcbaabcd"]
    answers = [best for (best,) in model.translate(sources)]
    pairs = Pairs(sources, [a.symbols for a in answers], None, np.ones(3), None)
    examples = pairs.examples(model.source, model.target)
    batch = examples.batch(np.arange(3)).inputs
    rows = network.eval()(Ragged(torch.from_numpy(batch.values), batch.lengths)).detach().numpy()
    for answer, row in zip(answers, rows, strict=True):
        if not answer.cut:
            assert answer.log_probability == pytest.approx(row[0], abs=1e-4)
            assert row[2] == row[3] == len(answer.symbols) + 1  # greedy: every symbol was the most probable


def test_the_reference_gives_the_same_answers():
    model, sources = random_model(2), ["abcd", "efg", "a"]
    native = model.translate(sources, beam_size=4, n_best=2)
    with recurra.kernels.use("reference"):
        reference = model.translate(sources, beam_size=4, n_best=2)
    for one, other in zip(native, reference, strict=True):
        assert [a.text for a in one] == [a.text for a in other]
        assert [a.score for a in one] == pytest.approx([a.score for a in other], abs=1e-6)


class Table:
    """A decoder whose next symbol depends on the last alone: probabilities by hand."""

    def __init__(self, rows):
        self.scores = np.log(np.array(rows))

    def read(self, sources):
        return self

    def begin(self, count):
        return np.zeros(count, dtype=np.int64)

    def follow(self, rows):
        return self

    def keep(self, sequences, rows):
        return self

    def write(self, last, state):
        return self.scores[last], self, None


def test_a_beam_finds_what_greedy_misses():
    # Symbols: 0 begin, 1 and 3 letters, 2 the end. Greedy takes 1 (0.6), after which everything is unlikely.
    rows = [
        [1e-9, 0.6, 1e-9, 0.4],
        [1e-9, 0.35, 0.3, 0.35],
        [0.25, 0.25, 0.25, 0.25],
        [1e-9, 0.05, 0.9, 0.05],
    ]
    assert END == 2
    words = {"length_penalty": 0.0, "max_length": 5}
    ((greedy,),) = search(Table(rows), [np.array([1])], beam_size=1, **words)
    ((best, *_),) = search(Table(rows), [np.array([1])], beam_size=2, **words)
    assert greedy.symbols[0] == 1
    assert best.symbols == (3,)
    assert best.log_probability == pytest.approx(np.log(0.4 * 0.9), abs=1e-6)


def test_beam_search_with_all_beginnings_finds_the_best_of_all():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(4), size=4)
    scores, longest = np.log(rows), 3

    def everything(last=0, written=(), total=0.0):
        yield total + scores[last, END], written
        if len(written) < longest:
            for symbol in (0, 1, 3):
                yield from everything(symbol, (*written, symbol), total + scores[last, symbol])

    total, written = max(everything())
    ((best, *_),) = search(Table(rows), [np.array([1])], beam_size=60, length_penalty=0.0, max_length=longest)
    assert best.symbols == written
    assert best.log_probability == pytest.approx(total, abs=1e-5)


def test_answers_come_best_first_and_differ():
    answers = random_model(4).translate(["abcde"], beam_size=5, n_best=5)[0]
    finished = [a.score for a in answers if not a.cut]
    assert finished == sorted(finished, reverse=True)
    assert len({a.symbols for a in answers}) == len(answers)


def test_a_cut_answer_is_marked_and_named():
    model = random_model(0, max_length=1)
    cut = [a for (a,) in model.translate(list(ALPHABET)) if a.cut]
    assert cut
    assert all(len(a.symbols) == 1 for a in cut)
    with pytest.warns(RecurraWarning, match=f"{len(cut)} of 8 answers did not end within 1 symbol"):
        model.predict(list(ALPHABET))


def test_an_unseen_symbol_is_read_as_unknown_and_named():
    with pytest.warns(RecurraWarning, match=r"1 of 2 sources holds symbols never seen in training \('é'\)"):
        answers = random_model(0).translate(["abé", "ab"])
    assert [len(found) for found in answers] == [1, 1]


@pytest.mark.parametrize("marks", [False, True])
def test_an_empty_source_is_named(marks):
    with pytest.raises(DataError, match="X: sequence 1 is empty; a source needs at least one symbol"):
        random_model(0, marks=marks).predict(["ab", ""])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"beam_size": 0}, "translate: beam_size must be a whole number of at least 1; got 0"),
        ({"n_best": 2}, r"translate: n_best must be a whole number in \[1, 1\]; got 2"),
        ({"length_penalty": -1}, "translate: length_penalty must be a number of at least 0; got -1"),
        ({"max_length": 0}, "translate: max_length must be a whole number of at least 1; got 0"),
    ],
)
def test_words_out_of_range_are_named(words, message):
    with pytest.raises(UsageError, match=message):
        random_model(0).translate(["ab"], **words)


def test_alignment_tells_where_it_looked():
    model = random_model(1)
    ((best,),) = model.translate(["abcd"])
    found = model.align("abcd")
    assert found.source == tuple("abcd")
    assert found.target == (*best.symbols, *([] if best.cut else ["(end)"]))
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    assert found.log_probabilities.sum() == pytest.approx(best.log_probability, abs=1e-5)
    assert model.align("abcd", "hg").target == ("h", "g", "(end)")


def test_marks_of_the_source_are_read_and_shown():
    model = random_model(1, marks=True)
    found = model.align("ab")
    assert found.source == ("(begin)", "a", "b", "(end)")
    assert found.weights.shape[1] == 4
    with pytest.warns(RecurraWarning, match=r"never seen in training \('é'\)"):
        model.translate(["aé"])


def test_a_saved_model_answers_the_same(tmp_path):
    model = random_model(2, attention="additive", num_layers=2, marks=True)
    model.save(tmp_path / "m.recurra")
    again = open_file(tmp_path / "m.recurra")
    assert again.fingerprint == model.fingerprint
    assert again.translate(["abc", "h"], beam_size=3) == model.translate(["abc", "h"], beam_size=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["network"].update(hidden_size=10**9), "must be float32 of shape"),
        (lambda m: m["network"].update(num_layers=10**9), "the network claims 1000000000 layers"),
        (lambda m: m["network"].update(hidden_size="9"), "hidden_size must be a whole number of at least 1"),
        (lambda m: m["network"].update(attention="general"), "the weight 'attention.query_weight' does not"),
        (lambda m: m["network"].pop("cell"), "network is incomplete or makes no sense: it lacks 'cell'"),
        (lambda m: m["vocabularies"]["target"]["names"].append("z"), "the vocabularies do not fit"),
        (
            lambda m: m["vocabularies"]["source"].update(names=[1, 2, 3]),
            "names\\[0\\] must be a string; got 1",
        ),
        (lambda m: m.update(max_length=0), "max_length must be a whole number"),
    ],
)
def test_a_file_that_claims_too_much_is_refused(tmp_path, change, message):
    path = tmp_path / "m.recurra"
    random_model(2, attention="additive").save(path)
    manifest, arrays = store.load(path)
    manifest = json.loads(json.dumps(manifest))
    change(manifest)
    store.save(path, manifest, arrays)
    with pytest.raises(StoreError, match=message):
        open_file(path)


def test_a_file_from_before_scores_were_divided_is_refused_not_misread(tmp_path):
    path = tmp_path / "m.recurra"
    random_model(2, attention="general").save(path)
    manifest, arrays = store.load(path)
    del manifest["attention_scaled"], manifest["needs"]
    store.save(path, manifest, arrays)
    with pytest.raises(StoreError, match="not divided by the root of its width.* Train it anew"):
        open_file(path)


@pytest.mark.filterwarnings("ignore::recurra.errors.RecurraWarning")  # its answers do not end
def test_a_translator_that_has_answered_is_copied_and_pickled():
    model = random_model(0)
    whole = model.predict(["abc"])
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.predict(["abc"]) == whole
