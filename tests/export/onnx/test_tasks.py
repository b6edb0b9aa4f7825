"""Detectors, forecasters and translators as ONNX files, random ones and trained ones, against their own answers."""

import dataclasses
import json

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError
from recurra.export.model.agreement import TOLERANCE
from recurra.export.onnx_file import Runner, write_onnx
from recurra.features.series import SeriesFeatures
from recurra.features.texts.symbols import BEGIN, END, SPECIAL, Symbols
from recurra.features.windows.sample_blocks import Blocks
from recurra.serving import decoder, forecast_mixture, forecasting, prediction
from recurra.serving.models import interval_factors
from recurra.serving.models.anomaly_model import AnomalyModel
from recurra.serving.models.forecast_model import ForecastModel
from recurra.serving.models.translation import TranslationModel

OPSETS = (14, 17, 22)
SMALL = {"hidden_size": 5, "max_epochs": 2, "random_state": 0, "verbose": 0}
CELLS = ("rnn", "rnn_relu", "lstm", "gru")


def drawn(rng, shapes):
    return {
        n: (rng.normal(size=s) / np.sqrt(s[-1] if s else 1)).astype(np.float32) for n, s in shapes.items()
    }


def random_detector(rng):
    size, channels, method = (
        int(rng.integers(1, 9)),
        int(rng.integers(1, 4)),
        rng.choice(["planted", "forecaster", "autoencoder"]),
    )
    parts = [rng.normal(size=channels), rng.uniform(0.5, 3, channels), rng.uniform(0.2, 2, channels)]
    blocks = Blocks(size, *(tuple(map(float, part)) for part in parts))
    network = {
        "cell": str(rng.choice(CELLS)), "input_size": blocks.input_size, "hidden_size": int(rng.integers(1, 20)),
        "output_size": 1 if method == "planted" else size * channels, "num_layers": int(rng.integers(1, 3)),
        "bidirectional": bool(rng.integers(2)), "pooling": "none", "dropout": 0.0,
    }  # fmt: skip
    manifest = {
        "estimator": "AnomalyDetector", "network": network, "method": str(method), "reach": int(rng.integers(0, 9)),
        "smooth": int(rng.integers(0, 9)), "error_spread": 0.7, "threshold": 0.5,
    }  # fmt: skip
    return AnomalyModel(manifest, blocks, drawn(rng, prediction.expected_shapes(network)))


def random_forecaster(rng):
    targets, horizon, lags = int(rng.integers(1, 3)), int(rng.integers(1, 6)), int(rng.integers(0, 3))
    features = SeriesFeatures(
        n_targets=targets, seasons=(7,), lags=tuple(range(horizon, horizon + lags)),
        scaling="common", center=(0.0,) * targets, spread=(1.0,) * targets,
    )  # fmt: skip
    loss = str(rng.choice(["quantile", "gaussian", "mse"]))
    quantiles = [[0.5], [0.1, 0.5, 0.9], [0.2, 0.4, 0.7]][rng.integers(3)] if loss == "quantile" else []
    network = {
        "cell": str(rng.choice(["rnn", "lstm", "gru"])), "input_size": features.input_size, "n_targets": targets,
        "horizon": horizon, "n_outputs": {"quantile": len(quantiles), "gaussian": 2}.get(loss, 1), "n_lags": lags,
        "hidden_size": int(rng.integers(1, 20)), "num_layers": int(rng.integers(1, 3)), "dropout": 0.0,
        "level": int(rng.integers(0, 4)), "highway": int(rng.integers(0, 4)),
    }  # fmt: skip
    members = int(rng.integers(1, 3))
    factors = rng.uniform(0.5, 2, len(quantiles) or len(interval_factors.LEVELS)).tolist()
    manifest = {
        "estimator": "Forecaster", "network": network, "members": members, "context": 20, "loss": loss,
        "quantiles": quantiles, "calibration": {"factors": factors} if rng.integers(2) else None, "input": {},
    }  # fmt: skip
    own = [drawn(rng, forecasting.expected_shapes(network)) for _ in range(members)]
    return ForecastModel(
        manifest, features, {f"{m}.{n}": w for m, one in enumerate(own) for n, w in one.items()}
    )


def random_translator(rng):
    source, target = (Symbols("character", (*SPECIAL, *"abcdefgh"[: rng.integers(2, 8)])) for _ in range(2))
    attention, both, fed = (
        str(rng.choice(["dot", "general", "additive"])),
        bool(rng.integers(2)),
        bool(rng.integers(2)),
    )
    network = {
        "cell": str(rng.choice(["rnn", "lstm", "gru"])), "source_size": len(source), "target_size": len(target),
        "embedding_size": int(rng.integers(1, 9)), "hidden_size": int(rng.integers(1, 12)),
        "num_layers": int(rng.integers(1, 3)), "bidirectional": both, "attention": attention, "input_feeding": fed,
        "tie_embeddings": bool(rng.integers(2)),
    }  # fmt: skip
    manifest = {"estimator": "Translator", "network": network, "max_length": 12, "params": {}}
    return TranslationModel(manifest, source, target, drawn(rng, decoder.expected_shapes(network)))


RANDOM = {"detector": random_detector, "forecaster": random_forecaster, "translator": random_translator}


def check(path, kind, seed):
    rng = np.random.default_rng(seed)
    files = write_onnx(RANDOM[kind](rng), path / "m.onnx", opset=OPSETS[seed % 3])
    assert len(files) == (2 if kind == "translator" else 1)
    return max(file.agreement.largest for file in files)


@pytest.mark.parametrize("kind", RANDOM)
def test_onnxruntime_answers_as_recurra(kind, tmp_path):
    for seed in range(9):
        assert check(tmp_path, kind, seed) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("kind", RANDOM)
def test_onnxruntime_answers_as_recurra_on_200_networks(kind, tmp_path, capsys):
    found = [check(tmp_path, kind, seed) for seed in range(1000, 1200)]
    with capsys.disabled():
        print(f"\n200 networks of kind {kind}, largest difference {max(found):.1e}")


def metadata(path):
    import onnx

    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_a_detector_scores_every_step(tmp_path):
    wave = np.sin(np.arange(120)[:, None] / 3)
    detector = recurra.AnomalyDetector(window=60, block=4, **SMALL).fit([wave, wave + 1])
    new = [wave[:101].astype(np.float32), np.float32([[0.5]])]
    (file,) = detector.export(tmp_path / "m.onnx", X=new)
    assert file.agreement.of_run
    x = np.full((2, 101, 1), np.nan, np.float32)
    x[0], x[1, :1] = new
    found = Runner(file.path.read_bytes())(x=x, lengths=np.array([101, 1]))
    for index, right in enumerate(detector.score_samples(new)):
        steps = len(new[index])
        np.testing.assert_allclose(found["score"][index, :steps], -right, rtol=1e-5, atol=1e-5)
        assert (found["score"][index, steps:] == 0).all()
        assert (found["label"][index, steps:] == -1).all()
    assert float(metadata(file.path)["threshold"]) == detector.model_.threshold


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["planted", "forecaster", "autoencoder"])
def test_a_detector_scores_what_is_no_number_by_nan(method, value, tmp_path):
    wave = np.sin(np.arange(120)[:, None] / 3)
    words = {} if method == "planted" else {"neighbours": False}
    detector = recurra.AnomalyDetector(method=method, window=60, block=4, **words, **SMALL).fit(
        [wave, wave + 1]
    )
    (file,) = detector.export(tmp_path / "m.onnx")
    x = np.stack([wave[:90], wave[:90]]).astype(np.float32)
    x[1, 30, 0] = value
    x[:, 80:] = np.nan
    found = Runner(file.path.read_bytes())(x=x, lengths=np.array([80, 80]))
    assert np.isnan(found["score"][1, :80]).all()
    assert (found["label"][1] == -1).all()
    right = detector.score_samples([wave[:80]])[0]
    np.testing.assert_allclose(found["score"][0, :80], -right, rtol=1e-4, atol=1e-4)
    assert (found["score"][:, 80:] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_of_a_forecast_that_are_no_numbers_are_answered_by_nan(value, tmp_path):
    series = 20 + 5 * np.sin(np.arange(150)[:, None] / 3)
    model = recurra.Forecaster(horizon=4, context=16, **SMALL).fit(series)
    (file,) = model.export(tmp_path / "m.onnx")
    (rows,) = model.model_.windows(model.states_)
    x = np.stack([rows, rows])
    x[1, 5, 0] = value
    found = Runner(file.path.read_bytes())(x=x, lengths=np.array([len(rows)] * 2))
    for name in ("value", "outputs"):
        assert np.isfinite(found[name][0]).all()
        assert np.isnan(found[name][1]).all()


def test_a_forecast_is_what_the_file_gives_mixed_and_in_units(tmp_path):
    series = 20 + 5 * np.sin(np.arange(150)[:, None] / 3) + np.arange(150)[:, None] / 9
    model = recurra.Forecaster(horizon=4, context=16, **SMALL).fit(series)
    (file,) = model.export(tmp_path / "m.onnx")
    own, states = model.model_, model.states_
    (rows,) = own.windows(states)
    outputs = Runner(file.path.read_bytes())(x=rows[None], lengths=np.array([len(rows)]))["outputs"]
    mixed = forecast_mixture.mixed(own, states, outputs)
    found = own.restored(own.point(mixed[0]), states[0])
    np.testing.assert_allclose(found, model.predict().reshape(found.shape), rtol=1e-5)
    assert json.loads(metadata(file.path)["horizon"]) == 4


def test_networks_without_a_say_are_not_exported(tmp_path):
    series = 20 + 5 * np.sin(np.arange(150) / 3)
    model = recurra.Forecaster(random_state=0, verbose=0).fit(series)
    assert model.model_.manifest["statistical"]["weight"] == 1
    with pytest.raises(
        UsageError, match=r"the statistical forecast answers alone here, .*train with statistical=False, or"
    ):
        model.export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    recurra.Forecaster(random_state=0, verbose=0, statistical=False).fit(series).export(tmp_path / "m.onnx")


def test_a_translation_found_with_both_files(tmp_path):
    pairs = [a + b for a in "abcdef" for b in "abcd"]
    model = recurra.Translator(**SMALL).fit(pairs, [p[::-1] for p in pairs])
    files = model.export(tmp_path / "m.onnx", X=pairs)
    assert [file.path.name for file in files] == ["m.onnx", "m-step.onnx"]
    reads, writes = (Runner(file.path.read_bytes()) for file in files)
    for text, right in zip(pairs[:5], model.model_.translate(pairs[:5]), strict=True):
        x = model.model_.source.encode(text)[None]
        state = reads(x=x, lengths=np.array([x.shape[1]]))
        symbol, answer = np.array([BEGIN]), []
        while symbol[0] != END and len(answer) <= model.max_length_:
            found = writes(symbol=symbol, lengths=np.array([x.shape[1]]), **state)
            state |= {n.removesuffix("_next"): a for n, a in found.items() if n.endswith("_next")}
            symbol = found["label"]
            answer.append(int(symbol[0]))
        answer = answer[: model.max_length_]
        assert model.model_.target.decode([n for n in answer if n != END]) == right[0].text


@pytest.mark.parametrize("kind", ["detector", "forecaster"])
def test_no_step_of_what_reads_blocks_or_windows(kind, tmp_path):
    with pytest.raises(UsageError, match="a step cannot hold a"):
        write_onnx(RANDOM[kind](np.random.default_rng(0)), tmp_path / "m.onnx", step=True)


def test_a_detector_that_is_off_is_not_written(tmp_path):
    from recurra.errors import RecurraError

    model = random_detector(np.random.default_rng(1))

    @dataclasses.dataclass(frozen=True)
    class Off(AnomalyModel):
        def scores(self, sequences, names=None):
            return [one + 1e-3 for one in super().scores(sequences, names)]

    with pytest.raises(RecurraError, match="differs from recurra by 0.00"):
        write_onnx(Off(model.manifest, model.blocks, model.weights), tmp_path / "m.onnx")
