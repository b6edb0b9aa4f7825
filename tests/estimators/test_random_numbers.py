"""The seed alone decides: trainings in threads side by side give the bits of one alone; global generators stay."""

import copy
import io
import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.metrics  # noqa: F401 - imports rich, which draws from random when it is imported, once a process
import torch

import recurra
from recurra.nn import NetworkConfig, build
from recurra.nn.random_generators import OwnDraws, drawing_from, dropout, seeded_globally
from recurra.ragged import Ragged
from recurra.serving.models.forecast_model import ForecastModel
from recurra.training.callbacks import Callback

QUICK = {"max_epochs": 2, "random_state": 0, "verbose": 0, "hidden_size": 8, "dropout": 0.4}
STACK = QUICK | {"num_layers": 2, "batch_size": 8}


def ragged(n=24):
    rng = np.random.default_rng(0)
    return [rng.normal(i % 2, size=(rng.integers(3, 12), 2)) for i in range(n)]


def labels(n=24):
    return [i % 2 for i in range(n)]


def words(n=24):
    rng = np.random.default_rng(0)
    return [
        " ".join(rng.choice(["oil leaks out of it", "no power at all"][i % 2].split(), 5)) for i in range(n)
    ]


def wave():
    return 10 + np.sin(np.arange(120) / 2) + 0.1 * np.random.default_rng(0).normal(size=120)


def classifier(**options):
    return lambda: recurra.SequenceClassifier(**STACK | options).fit(ragged(), labels())


class Own(torch.nn.Module):
    """A design of the user's that draws from torch's global generator."""

    def __init__(self, input_size, output_size):
        super().__init__()
        self.layer = recurra.nn.GRU(input_size, 8, num_layers=2, dropout=0.3)
        self.drop, self.head = torch.nn.Dropout(0.3), torch.nn.Linear(8, output_size)

    def forward(self, ragged):
        _, states = self.layer(ragged)
        noise = 0.1 * torch.randn_like(states[-1]) if self.training else 0.0
        return self.head(self.drop(states[-1] + noise))


def part_replaced(input_size, output_size):
    module = build(
        NetworkConfig("lstm", input_size, 8, output_size=output_size, num_layers=2, dropout=0.3), seed=0
    )
    module.head = torch.nn.Sequential(torch.nn.Dropout(0.5), module.head)
    return module


class Noisy(torch.optim.SGD):
    """Stochastic gradient Langevin dynamics: noise on every step."""

    @torch.no_grad()
    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(torch.randn_like(p), alpha=1e-3)


FITS = {
    "lstm": classifier(bidirectional=True),
    "gru, attention": classifier(cell="gru", pooling="attention"),
    "rnn, identity": classifier(cell="rnn", initialization="identity"),
    "chrono": classifier(initialization="chrono"),
    "truncated": classifier(tbptt=4, pooling="mean"),
    "curriculum": classifier(curriculum=4),
    "little memory": classifier(memory="sqrt"),
    "early stopping": classifier(validation_fraction=0.3),
    "own network": classifier(network=Own),
    "part replaced": classifier(network=part_replaced),
    "own optimizer": classifier(optimizer=Noisy),
    "regressor": lambda: recurra.SequenceRegressor(**STACK).fit(ragged(), [float(i) for i in labels()]),
    "labeler": lambda: recurra.SequenceLabeler(**STACK, crf=True).fit(
        ragged(), [np.arange(len(x)) % 2 for x in ragged()]
    ),
    "video": lambda: recurra.VideoClassifier(**STACK, backbone="small-cnn", image_size=8).fit(
        [np.random.default_rng(i).integers(0, 99 + 99 * (i % 2), (3, 8, 8, 3), dtype=np.uint8) for i in range(12)],
        labels(12),
    ),
    "text": lambda: recurra.TextClassifier(**STACK, embedding_size=8, letters=4).fit(words(), labels()),
    "generator": lambda: recurra.TextGenerator(**STACK, tbptt=20).fit(["abcd" * 60]),
    "translator": lambda: recurra.Translator(**STACK, scheduled_sampling=0.5, validation_fraction=0.2).fit(
        [a + b for a in "abcdef" for b in "abcd"], [b + a for a in "abcdef" for b in "abcd"]
    ),
    "forecaster": lambda: recurra.Forecaster(horizon=4, context=16, noise=0.1, members=2, **STACK).fit(wave()),
    **{
        f"by {method}": lambda method=method: recurra.AnomalyDetector(**QUICK, window=60, block=4, method=method).fit(
            [np.sin(np.arange(300)[:, None] / 5 + [i, 1.0]) for i in range(2)]
        )
        for method in ("planted", "autoencoder", "forecaster")
    },
}  # fmt: skip


def bits(estimator):
    model = estimator.model_
    assert isinstance(model, ForecastModel) or model.weights
    return {name: array.tobytes() for name, array in model.weights.items()}


def global_states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.parametrize("which", FITS)
def test_threads_at_once_give_the_bits_of_one_alone_and_global_generators_stay(which):
    fit = FITS[which]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is checked
    torch.manual_seed(1)
    before = global_states()
    alone = bits(fit())
    with ThreadPoolExecutor(4) as threads:
        found = [bits(one) for one in threads.map(lambda _: fit(), range(6))]
    assert all(one == alone for one in found)
    assert global_states() == before
    torch.manual_seed(2)  # what the caller drew before changes nothing
    assert bits(fit()) == alone


@pytest.mark.parametrize("which", [name for name in FITS if not name.startswith(("own", "part"))])
def test_somebody_who_draws_meanwhile_changes_nothing_and_is_not_disturbed(which):
    fit, over, drawn = FITS[which], threading.Event(), []
    alone = bits(fit())
    torch.manual_seed(3)

    def draw():
        while not over.is_set():
            drawn.append(torch.rand(3))

    somebody = threading.Thread(target=draw)
    somebody.start()
    try:
        assert bits(fit()) == alone
    finally:
        over.set()
        somebody.join()
    torch.manual_seed(3)
    assert all(torch.equal(one, torch.rand(3)) for one in drawn)


ANSWERS = {
    "lstm": lambda fitted: fitted.predict_proba(ragged()),
    "gru, attention": lambda fitted: fitted.predict_proba(ragged()),
    "labeler": lambda fitted: np.concatenate(fitted.predict_proba(ragged())),
    "text": lambda fitted: fitted.predict_proba(words()),
    "translator": lambda fitted: np.array(fitted.predict(["ab", "cd", "fa"]), dtype=str),
    "forecaster": lambda fitted: fitted.forecast().point,
}


@pytest.mark.filterwarnings("ignore::recurra.errors.RecurraWarning")  # it learns next to nothing
@pytest.mark.parametrize("which", ANSWERS)
def test_one_thread_predicts_while_another_trains(which):
    fit, answers, over = FITS[which], ANSWERS[which], threading.Event()
    fitted = fit()
    alone, expected = bits(fitted), answers(fitted).tobytes()

    def predict():
        found = [answers(fitted).tobytes()]
        while not over.is_set():
            found.append(answers(fitted).tobytes())
        return found

    with ThreadPoolExecutor(2) as threads:
        predicted = [threads.submit(predict) for _ in range(2)]
        try:
            assert all(bits(fit()) == alone for _ in range(2))
        finally:
            over.set()
        assert all(found == expected for one in predicted for found in one.result())


def test_dropout_is_torchs_with_a_generator_of_its_own():
    module = recurra.nn.LSTM(3, 4)
    for p in (0.0, 0.3, 0.99, 1.0):
        for values in (
            torch.ones(7, 3),
            torch.ones(300, 40).t(),
            torch.ones(0, 3),
            torch.ones(5, dtype=torch.double),
        ):
            torch.manual_seed(5)
            expected = torch.nn.functional.dropout(values, p)
            with drawing_from(module, torch.Generator().manual_seed(5)):
                assert torch.equal(dropout(module, values, p), expected)
            assert torch.equal(dropout(module.eval(), values, p), values)
            module.train()
    assert module.generator is None


@pytest.mark.parametrize("options", [{}, {"network": Own}], ids=["ours", "own"])
def test_a_copy_taken_while_training_draws_as_a_plain_module(options):
    copies = []

    class Keep(Callback):
        def on_batch_end(self, run):
            stored = io.BytesIO()
            torch.save(run.network, stored)
            stored.seek(0)
            copies[:] = [
                copy.deepcopy(run.network),
                pickle.loads(pickle.dumps(run.network)),
                torch.load(stored, weights_only=False),
                torch.optim.swa_utils.AveragedModel(run.network).module,
            ]

    def of(network, seed):
        torch.manual_seed(seed)
        return network.train()(Ragged.from_list([np.ones((9, 2), np.float32)]).replace(torch.ones(9, 2)))

    alone = classifier(**options)()
    kept = classifier(**options, callbacks=[Keep()])()
    assert all(np.array_equal(kept.model_.weights[name], own) for name, own in alone.model_.weights.items())
    for network in copies:
        assert all(vars(module).get("generator") is None for module in network.modules())
        assert torch.equal(of(network, 1), of(network, 1))
        assert not torch.equal(of(network, 1), of(network, 2))


def test_a_training_within_a_training_gives_its_generator_back():
    module, outer = recurra.nn.LSTM(3, 4), torch.Generator()
    with drawing_from(module, outer):
        with drawing_from(module, torch.Generator()):
            assert module.generator is not outer
        assert module.generator is outer
    assert "generator" not in vars(module)


def test_what_the_users_module_calls_generator_is_left_alone():
    class Adversarial(torch.nn.Module):
        def __init__(self, input_size, output_size):
            super().__init__()
            self.layer = recurra.nn.GRU(input_size, 8)
            self.head = torch.nn.Linear(8, output_size)

        def generator(self, state):
            return self.head(state)

        def forward(self, ragged):
            return self.generator(self.layer(ragged)[1][-1])

    fitted = classifier(network=Adversarial)()
    assert fitted.predict(ragged()).shape == (24,)


def test_as_a_plain_module_a_layer_draws_as_torchs_does():
    ours, theirs = (
        recurra.nn.LSTM(3, 4, num_layers=2, dropout=0.5),
        torch.nn.LSTM(3, 4, num_layers=2, dropout=0.5),
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.ones(5, 2, 3)
    found = []
    for layer in (ours, theirs):
        torch.manual_seed(0)
        found.append(layer(x)[0])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Linear(3, 4),
        lambda: torch.nn.Embedding(4, 5),
        lambda: recurra.nn.LSTM(3, 4),
        lambda: torch.nn.Conv2d(3, 4, 3),
        lambda: torch.nn.MultiheadAttention(4, 2),
    ],
)
def test_building_draws_from_a_generator_of_its_own(make):
    before = torch.get_rng_state()
    found = []
    for _ in range(2):
        with OwnDraws():
            found.append([p.detach().clone() for p in make().parameters()])
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_the_global_generator_is_put_back_after_an_error_and_seeded_again_inside():
    torch.manual_seed(4)
    before = torch.get_rng_state()

    def draw():
        with seeded_globally(1):
            first = torch.rand(2)
            with seeded_globally(1):
                assert torch.equal(torch.rand(2), first)
            raise KeyError

    with pytest.raises(KeyError):
        draw()
    assert torch.equal(torch.get_rng_state(), before)
