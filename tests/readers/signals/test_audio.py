import numpy as np
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.signals.audio import read_audio
from signal_files import message, waves

soundfile = pytest.importorskip("soundfile")


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_24"), ("wav", "DOUBLE")])
def test_sound_comes_back(tmp_path, suffix, subtype):
    values = waves()
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, values, 8000, subtype=subtype)
    found = read_audio(path)
    assert (found.sample_rate_hz, found.channel_names) == (8000.0, ["left", "right"])
    np.testing.assert_allclose(found.values, values, atol=0 if subtype == "DOUBLE" else 2**-15)


def test_ogg_is_near(tmp_path):
    values = waves(steps=8000, channels=1, rate=8000.0) * 0.5
    soundfile.write(tmp_path / "a.ogg", values, 8000)
    found = read_audio(tmp_path / "a.ogg")
    assert found.values.shape == values.shape
    assert np.corrcoef(found.values[:, 0], values[:, 0])[0, 1] > 0.95


def test_a_wav_that_promises_more_than_it_holds(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, waves(), 8000)
    path.write_bytes(path.read_bytes()[:1044])
    assert message(lambda: read_audio(path), DataError) == (
        f"{path}: its header promises 2,000 bytes of sound, the file holds 1,000. It was cut; get it again."
    )


def test_a_flac_that_was_cut(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, waves(steps=20_000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    said = message(lambda: read_audio(path), DataError)
    assert "promises 20,000 samples" in said or "cannot be read as sound" in said


def test_what_is_no_sound(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"hello, this is text and no sound at all")
    assert message(lambda: read_audio(path), DataError).startswith(f"{path}: cannot be read as sound: ")
    path.write_bytes(b"")
    assert "the file is empty (0 bytes)" in message(lambda: read_audio(path), DataError)


def test_a_folder_of_sounds(tmp_path):
    for name, rate in (("up/a", 8000), ("up/b", 8000), ("down/c", 8000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{name}.wav", waves(channels=1), rate)
    data = recurra.load(tmp_path)
    assert [(r.name, r.label) for r in data.records] == [
        ("down/c.wav", "down"), ("up/a.wav", "up"), ("up/b.wav", "up"),
    ]  # fmt: skip
    assert data.sample_rate_hz == 8000
    assert data.channel_names == ["sound"]
    soundfile.write(tmp_path / "up/b.wav", waves(channels=1), 16000)
    assert message(lambda: recurra.load(tmp_path), DataError) == (
        f"{tmp_path}: its files are sampled at different rates: 8000 Hz (2), 16000 Hz (1). Bring them to one rate "
        "with resample_hz=8000."
    )
    even = recurra.load(tmp_path, resample_hz=8000)
    assert even.sample_rate_hz == 8000
    assert even.lengths.tolist() == [500, 500, 250]


def test_resampling_keeps_a_slow_wave(tmp_path):
    t = np.arange(4000) / 4000
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 5 * t), 4000, subtype="DOUBLE")
    half = recurra.load(tmp_path / "a.wav", resample_hz=2000)
    np.testing.assert_allclose(
        half[0].values[100:-100, 0], 0.5 * np.sin(2 * np.pi * 5 * t[::2])[100:-100], atol=1e-3
    )


def test_another_rate_than_said(tmp_path):
    soundfile.write(tmp_path / "a.wav", waves(), 8000)
    said = message(lambda: recurra.load(tmp_path / "a.wav", sample_rate_hz=300), DataError)
    assert said.endswith(
        "is sampled at 8000 Hz, not at the 300 Hz of sample_rate_hz=. Leave it out; in training, "
        "resample_hz=300 brings recordings there."
    )
