import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import ShortTimeFFT

from recurra.errors import DataError, UsageError
from recurra.features.registry import make_features, parse_features
from recurra.features.windows.block import Block, taper
from signal_files import message, waves


def features(given, channels=2, rate=100.0):
    return make_features(parse_features(given), channels, rate)


def rows(given, values, rate=100.0):
    for step in features(given, values.shape[1], rate):
        values = step.transform(values)
    return values


@pytest.mark.parametrize("name", ["hann", "hamming", "none"])
@pytest.mark.parametrize(("window", "hop"), [(50, 12), (33, 33), (64, 1)])
def test_power_as_scipy_has_it(name, window, hop):
    values = waves(steps=150)
    windows = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)[::hop]
    block = Block(np.ascontiguousarray(windows), 100.0, name, center=False)
    transform = ShortTimeFFT(taper(name, window), hop, fs=100.0)
    for k in range(len(windows)):
        # The slice of scipy's transform whose middle is that of window k: its first sample is k * hop.
        theirs = transform.stft(values[k * hop :].T, p0=0, p1=1, k_offset=window // 2)[..., 0]
        np.testing.assert_allclose(block.power[k], np.abs(theirs) ** 2, rtol=1e-9, atol=1e-9)


def by_hand(values, window, hop, name="hann"):
    """Power of the centred windows, from scipy.fft, which has another code than numpy's."""
    from scipy.fft import rfft

    count = 1 + (len(values) - window) // hop
    cut = np.stack([values[k * hop : k * hop + window].T for k in range(count)])
    cut = cut - cut.mean(axis=-1, keepdims=True)
    return np.abs(rfft(cut * taper(name, window), axis=-1)) ** 2


def test_mean_frequency_and_entropy():
    values = waves()
    power = by_hand(values, 50, 12)
    frequencies = np.fft.rfftfreq(50, 0.01)
    shares = power / power.sum(axis=-1, keepdims=True)
    found = rows(["instantaneous_frequency", "spectral_entropy"], values)
    np.testing.assert_allclose(found[:, :2], (shares * frequencies).sum(axis=-1), rtol=1e-9)
    np.testing.assert_allclose(found[:, 2:], -(shares * np.log(shares)).sum(axis=-1) / np.log(26), rtol=1e-9)


def test_a_tone_has_its_frequency_and_no_entropy_noise_much():
    t = np.arange(1000) / 100
    tone, noise = np.sin(2 * np.pi * 12 * t), np.random.default_rng(0).normal(size=1000)
    found = rows(
        {"name": ["instantaneous_frequency", "spectral_entropy"], "window_s": 1}, np.stack([tone, noise], 1)
    )
    np.testing.assert_allclose(found[:, 0], 12, atol=0.01)
    assert found[:, 2].max() < 0.3 < 0.8 < found[:, 3].min()


def test_silence_is_finite():
    for name in ("spectral", "spectrum", "mfcc", "statistics"):
        assert np.isfinite(rows({"name": name, "window_s": 0.2}, np.zeros((100, 2)))).all()
    assert np.isfinite(rows("motion", np.zeros((100, 6)))).all()


def test_mel_bands_and_cepstrum():
    values = waves(steps=300)
    power = by_hand(values, 50, 12)
    mel = rows({"name": "log_mel", "n_mels": 6}, values).reshape(-1, 2, 6)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 50 / 700), 8) / 2595) - 1)
    frequencies = np.fft.rfftfreq(50, 0.01)
    triangles = np.array(
        [np.interp(frequencies, edges[i : i + 3], [0, 1, 0], left=0, right=0) for i in range(6)]
    )
    np.testing.assert_allclose(mel, np.log(power @ triangles.T + 1e-10), rtol=1e-8, atol=1e-8)
    cepstrum = rows({"name": "mfcc", "n_mels": 6, "n_mfcc": 4}, values).reshape(-1, 2, 4)
    np.testing.assert_allclose(
        cepstrum, dct(mel, type=2, norm="ortho", axis=-1)[..., :4], rtol=1e-8, atol=1e-8
    )


def test_powers_of_bands():
    values = waves()
    power, frequencies = by_hand(values, 50, 12), np.fft.rfftfreq(50, 0.01)
    found = rows({"name": "band_powers", "bands": [[0, 4], [4, 10]]}, values).reshape(-1, 2, 2)
    for i, (low, high) in enumerate([(0, 4), (4, 10)]):
        inside = (frequencies >= low) & (frequencies < high)
        np.testing.assert_allclose(found[..., i], np.log(power[..., inside].sum(axis=-1) + 1e-10), rtol=1e-8)


def test_statistics():
    values = waves()
    found = rows({"name": "statistics", "window_s": 0.2, "hop_s": 0.1}, values)
    cut = np.stack([values[k * 10 : k * 10 + 20] for k in range(49)])
    by_numpy = [cut.mean(1), cut.std(1), cut.min(1), cut.max(1), np.abs(np.diff(cut, axis=1)).mean(1)]
    np.testing.assert_allclose(found, np.concatenate(by_numpy, axis=1), rtol=1e-9, atol=1e-12)


def test_motion_does_not_depend_on_how_the_phone_is_held():
    from scipy.stats import special_ortho_group

    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 6))
    values[:, 1] += 9.81
    turn = special_ortho_group.rvs(3, random_state=1)
    turned = np.concatenate([values[:, :3] @ turn.T, values[:, 3:] @ turn.T], axis=1)
    np.testing.assert_allclose(rows("motion", turned), rows("motion", values), rtol=1e-8, atol=1e-8)
    assert rows("motion", values).shape[1] == 35
    assert rows("motion", values[:, :3]).shape[1] == 15
    direction = rows({"name": "motion", "direction": True}, values)[:, -3:]
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1)
    assert not np.allclose(rows({"name": "motion", "direction": True}, turned)[:, -3:], direction)


def test_slopes_are_those_of_a_line():
    values = np.cumsum(np.random.default_rng(0).normal(size=(40, 2)), axis=0)
    found = rows({"name": "samples", "window_s": 0.01, "hop_s": 0.01, "deltas": 3}, values)[:, 2:]
    for k in range(6, 40):
        np.testing.assert_allclose(found[k], np.polyfit(np.arange(7), values[k - 6 : k + 1], 1)[0], rtol=1e-8)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("spectrol", "there is no 'spectrol'; known are 'spectrum',"),
        ({"window_s": 1}, "a dictionary needs a 'name' beside its options; got 'window_s'."),
        ({"name": "mfcc", "bands": [[1, 2]]}, "mfcc takes no option 'bands'; known are 'window_s',"),
        ({"name": "mfcc", "window_s": -1}, "window_s must be a number greater than 0; got -1."),
        ({"name": "mfcc", "n_mfcc": 50}, "n_mfcc must be a whole number in [1, 40]; got 50."),
        ({"name": "spectrum", "high_hz": 70}, "high at most half the sampling rate, 50 Hz."),
        ({"name": "band_powers", "bands": [[3, 1]]}, "bands must be pairs (low, high) in hertz; got [3, 1]."),
        ({"name": "band_powers", "bands": [[0.1, 0.2]]}, "Choose a longer window or another band."),
        ({"name": "statistics", "statistics": ["median"]}, "statistics must be one of 'mean', 'std'"),
        (
            {"name": "spectral", "hop_s": 2},
            "hop_s=2 must be at most window_s=0.5; no sample may be left out.",
        ),
        (
            {"name": "spectral", "window_s": 0.02},
            "needs windows of at least 4 samples; got 2 (0.02 s at 100 Hz).",
        ),
        ({"name": "spectral", "sample_rate_hz": 50}, "contradicts the data, which are sampled at 100 Hz."),
        (["beat_intervals", "mfcc"], "beat_intervals gives a row per heartbeat and cannot stand beside"),
        ("motion", "motion needs the three channels of an accelerometer"),
        ('{"name": ', "is no JSON"),
        (7, "must be a name, several names, or a dictionary; got 7."),
    ],
)
def test_words_that_make_no_sense(given, said):
    assert said in message(lambda: features(given), UsageError)


def test_the_rate_must_be_known():
    said = message(lambda: features("spectral", rate=None), UsageError)
    assert said.startswith("features: the sampling rate is not known; give a Dataset that has one")


def test_names_in_every_form():
    as_list = parse_features(["spectral_entropy", "statistics"])
    assert parse_features("spectral_entropy, statistics") == as_list
    assert parse_features('{"name": "spectral_entropy,statistics"}') == as_list
    assert parse_features("spectral").names == ("instantaneous_frequency", "spectral_entropy", "band_powers")


def test_a_sequence_shorter_than_a_window():
    said = message(lambda: rows("statistics", np.zeros((49, 2))), DataError)
    assert "a sequence has 49 steps, fewer than the 50 of a window (0.5 s)." in said
