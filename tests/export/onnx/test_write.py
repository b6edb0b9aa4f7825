"""ONNX files against recurra itself, the runtime of others against ours."""

import dataclasses
import json

import numpy as np
import pytest

from export_models import KINDS, any_length, exportable_model, with_network, with_weights
from models import random_model
from recurra.errors import RecurraError, UsageError
from recurra.export.model.agreement import TOLERANCE, difference, expected, expected_steps, random_rows
from recurra.export.model.beside import drawn_beside
from recurra.export.model.boundary import check_one_step, cut
from recurra.export.onnx.whole import step_graph, whole_graph
from recurra.export.onnx_file import Runner, model_bytes, padded, write_onnx
from recurra.kernels.cell import VARIANTS

OPSETS = (14, 17, 22)


def largest_difference(model, opset, rng):
    """Return how far onnxruntime is from recurra on a mixed batch with lengths 0 and 1, and one sequence at a time."""
    exported = cut(model)
    runner = Runner(model_bytes(exported, whole_graph(exported, opset)))
    alignment = exported.inside.features.alignment
    least = 1 if alignment is None else alignment.window
    lengths = [0, least, least + 1, *(least + rng.integers(0, 30, 4)).tolist()]
    rows = random_rows(exported, rng, lengths[1:] if model.wide is not None else lengths)
    exported = any_length(exported)
    most = 0.0
    for batch in (
        [rows[i] for i in rng.permutation(len(rows))],
        *([own] if len(own) else [own, rows[-1]] for own in rows),
    ):
        beside = drawn_beside(exported, len(batch), rng)
        found = runner(**padded(batch), **beside.inputs(exported))
        for name, right in expected(exported, batch, beside).items():
            own = found[name]
            if own.ndim > right[0].ndim:
                cut_off = (
                    [one[: len(r)] for one, r in zip(own, right, strict=True)]
                    if exported.per_step
                    else list(own)
                )
                assert not exported.per_step or all(
                    not one[len(r) :].any() for one, r in zip(own, right, strict=True)
                )
                own = cut_off
            most = max(most, difference(exported, name, right, own))
    return most


def check(seed, kind):
    rng = np.random.default_rng(seed)
    model = exportable_model(rng, kind)
    opset = OPSETS[seed % len(OPSETS)]
    found = largest_difference(model, opset, rng)
    assert found <= TOLERANCE, (seed, kind, found)
    exported = cut(model)
    try:
        check_one_step(exported)
    except UsageError:
        return found, None
    steps = largest_step_difference(exported, opset, rng)
    assert steps <= TOLERANCE, (seed, kind, steps)
    return found, steps


def largest_step_difference(exported, opset, rng):
    """Return how far the graph of one step is from streams, two sequences side by side and each by itself."""
    runner = Runner(model_bytes(exported, step_graph(exported, opset)))
    pair = random_rows(exported, rng, [9, 9])
    most = 0.0
    for batch in (pair, [pair[1]]):
        own = [drawn_beside(exported, 1, rng) for _ in batch]
        rights = zip(*(expected_steps(exported, *both) for both in zip(batch, own, strict=True)), strict=True)
        given = {n: np.concatenate([b.inputs(exported)[n] for b in own]) for n in own[0].inputs(exported)}
        state = {}
        for index, each in enumerate(rights):
            outputs = runner(x=np.stack([rows[index] for rows in batch]), **given, **state)
            state = {n.removesuffix("_next"): a for n, a in outputs.items() if n.endswith("_next")}
            for name in each[0]:
                most = max(most, difference(exported, name, [own[name] for own in each], outputs[name]))
    return most


@pytest.mark.parametrize("seed", range(2 * len(KINDS)))
def test_onnxruntime_answers_as_recurra(seed):
    check(seed, KINDS[seed % len(KINDS)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("text", "n-grams")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_has_no_answer_is_answered_by_nan(kind, value):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        exported = cut(exportable_model(rng, kind))
        if kind in (
            "embedding",
            "generation",
        ):  # numbers of symbols: refused by the runtime where it is asked
            continue
        runner = Runner(model_bytes(exported, whole_graph(exported, 17)))
        rows = random_rows(exported, rng, [40, 40, 40])
        rows[1][7, -1] = value
        beside = drawn_beside(exported, 3, rng).inputs(exported)
        found = runner(**padded(rows), **beside)
        answered = np.isnan(value) and exported.takes_missing
        for name, each in found.items():
            if each.dtype != np.float32 or name in ("transitions", "begin", "end"):
                continue
            one = each.swapaxes(0, 1) if name.endswith("_n") else each
            assert (np.isfinite(one[1]) if answered else np.isnan(one[1])).all(), (seed, name)
            assert np.isfinite(one[[0, 2]]).all(), (seed, name)  # the others of the batch
        if "label" in found:
            assert ((found["label"][1] == -1) != answered).all()
        try:
            check_one_step(exported)
        except UsageError:
            continue
        step = Runner(model_bytes(exported, step_graph(exported, 17)))
        state, own = {}, {name: one[1:2] for name, one in beside.items()}
        for index, row in enumerate(rows[1][:12]):
            outputs = step(x=row[None], **own, **state)
            state = {n.removesuffix("_next"): a for n, a in outputs.items() if n.endswith("_next")}
            said = np.concatenate([a.ravel() for n, a in outputs.items() if n in ("probabilities", "value")])
            assert (np.isfinite(said) if index < 7 or answered else np.isnan(said)).all(), (seed, index)


@pytest.mark.parametrize("cell", VARIANTS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_cells_beyond_those_of_torch(cell, bidirectional):
    rng = np.random.default_rng(3)
    model = random_model(rng, cell=cell, bidirectional=bidirectional, task="classification", pooling="mean")
    assert largest_difference(model, 17, rng) <= TOLERANCE
    if not bidirectional:
        assert largest_step_difference(cut(model), 17, rng) <= TOLERANCE


def test_convolutions_do_not_look_over_the_end_of_a_sequence():
    rng = np.random.default_rng(2)
    model = random_model(rng, task="classification", pooling="max", bidirectional=True)
    layers = [{"filters": 5, "kernel": 3, "dilation": 2}] * 3
    front = {"name": "convolutions", "layers": layers, "causal": False}
    model = with_weights(rng, with_network(model, front=front))
    assert largest_difference(model, 17, rng) <= TOLERANCE


@pytest.mark.slow
def test_onnxruntime_answers_as_recurra_on_200_networks(capsys):
    whole, steps = [], []
    for seed in range(1000, 1200):
        found, step = check(seed, KINDS[seed % len(KINDS)])
        whole.append(found)
        steps += [] if step is None else [step]
    with capsys.disabled():
        print(
            f"\n{len(whole)} networks, largest difference {max(whole):.1e}; {len(steps)} one-step graphs, {max(steps):.1e}"
        )


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn_relu", *VARIANTS])
def test_a_sequence_goes_on_from_the_state_of_its_beginning(cell):
    rng = np.random.default_rng(5)
    model = random_model(rng, task="labeling", cell=cell, missing="error", num_layers=2)
    exported = cut(model)
    runner = Runner(model_bytes(exported, whole_graph(exported, 17)))
    rows = random_rows(exported, rng, [12, 7, 0])
    whole = runner(**padded(rows))
    first = runner(**padded([own[:4] for own in rows]))
    names = ("h", "c") if cell.startswith("lstm") else ("h",)
    second = runner(**padded([own[4:] for own in rows]), **{f"{n}_0": first[f"{n}_n"] for n in names})
    np.testing.assert_allclose(second["probabilities"][0], whole["probabilities"][0, 4:], atol=1e-6)
    # a part of no rows hands its state on
    np.testing.assert_array_equal(
        runner(
            **padded([rows[2]]),
            h_0=first["h_n"][:, :1],
            **({"c_0": first["c_n"][:, :1]} if "c" in names else {}),
        )["h_n"],
        first["h_n"][:, :1],
    )


def test_only_standard_operators_at_the_opset_asked_for(tmp_path):
    import onnx

    for seed, opset in enumerate(OPSETS):
        for kind in KINDS:
            write_onnx(exportable_model(np.random.default_rng(seed), kind), tmp_path / "m.onnx", opset=opset)
            model = onnx.load(tmp_path / "m.onnx")
            onnx.checker.check_model(model, full_check=True)
            assert [(one.domain, one.version) for one in model.opset_import] == [("", opset)]


def test_metadata_and_names(tmp_path):
    import onnx

    model = random_model(
        np.random.default_rng(3), task="classification", channels=2, output_size=3, missing="mask"
    )
    model = dataclasses.replace(
        model, manifest={**model.manifest, "channel_names": ["left", "right"], "sample_rate_hz": 50.0}
    )
    (file,) = write_onnx(model, tmp_path / "m.onnx")
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(facts["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(facts["channel_names"]) == ["left", "right"]
    assert facts["fingerprint"] == model.fingerprint
    assert facts["sample_rate_hz"] == "50.0"
    assert facts["input"] == "raw sequences"
    assert file.inputs["x"] == ["batch", "time", 2]
    assert file.outputs["probabilities"] == ["batch", 3]
    assert file.agreement.largest <= TOLERANCE
    assert "onnxruntime gives recurra's answers on" in str(file.agreement)


def test_a_file_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    model = random_model(np.random.default_rng(1), task="regression", bidirectional=False)
    right = Runner.__call__

    def off(self, **inputs):
        return {
            n: a + np.float32(1e-3) if a.dtype == np.float32 else a for n, a in right(self, **inputs).items()
        }

    monkeypatch.setattr(Runner, "__call__", off)
    with pytest.raises(
        RecurraError, match="differs from recurra by 0.00[0-9]+, more than 1e-05, so no file was written"
    ):
        write_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_damaged_runtime_that_gives_nan_is_found(tmp_path, monkeypatch):
    model = random_model(np.random.default_rng(1), task="classification", bidirectional=False)
    right = Runner.__call__
    monkeypatch.setattr(
        Runner, "__call__", lambda self, **inputs: {n: a * np.nan for n, a in right(self, **inputs).items()}
    )
    with pytest.raises(RecurraError, match="differs from recurra by inf"):
        write_onnx(model, tmp_path / "m.onnx")


@pytest.mark.parametrize("opset", [13, 23, 17.5])
def test_opsets_that_are_not_written(opset, tmp_path):
    with pytest.raises(UsageError, match="export: opset"):
        write_onnx(random_model(np.random.default_rng(1)), tmp_path / "m.onnx", opset=opset)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("plain", {"causal": False}, "starts at the end of the sequence; train with causal=True"),
        ("wide", {"causal": True}, "reads whole sequences; train with wide=False and causal=True"),
        ("patches", {"causal": True}, "a row per window, not per step"),
        ("chain", {"causal": True}, "train with crf=False"),
    ],
)
def test_no_step_of_what_needs_the_whole(kind, given, words, tmp_path):
    seed = next(
        s
        for s in range(50)
        if kind != "patches"
        or not cut(exportable_model(np.random.default_rng(s), kind, **given)).inside.features.keeps_steps
    )
    with pytest.raises(UsageError, match=words):
        write_onnx(
            exportable_model(np.random.default_rng(seed), kind, **given), tmp_path / "m.onnx", step=True
        )
    assert not list(tmp_path.iterdir())
