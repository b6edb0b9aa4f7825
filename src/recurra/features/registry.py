"""The names of features: what ``features=`` of an estimator may say, and what it means."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from recurra.checks import check_number, did_you_mean, listing
from recurra.errors import UsageError
from recurra.features.rows.deltas import Deltas
from recurra.features.windows.heartbeats import BeatIntervals
from recurra.features.windows.sliding import Windows
from recurra.features.windows.spectral import BandPowers, InstantaneousFrequency, SpectralEntropy
from recurra.features.windows.window_features import PARTS, make_part

# Names that stand for several.
GROUPS: Mapping[str, Sequence[str]] = {
    "spectral": (InstantaneousFrequency.name, SpectralEntropy.name, BandPowers.name)
}

NAMES = (*PARTS, *GROUPS, BeatIntervals.name)

# Options beside those of the parts.
WINDOW_OPTIONS = ("window_s", "hop_s", "taper", "center", "deltas", "sample_rate_hz")

# A window is 25 ms, as for speech, at rates that only sound has; else half a second.
_SOUND_HZ = 4000.0


@dataclass(frozen=True)
class ParsedFeatures:
    """What ``features=`` says: names, and options."""

    names: Sequence[str]
    options: Mapping[str, Any]


def parse_features(given: Any) -> ParsedFeatures | None:
    """Return the names and options of ``features=``; None for None.

    Parameters
    ----------
    given : None, str, sequence of str, or dict
        A name of `NAMES`, several of them (in a string with commas between), or a dictionary with them as ``name``
        beside options: ``window_s`` and ``hop_s`` in seconds, ``taper``, ``center``, ``deltas`` (rows on each side; 0
        for none), ``sample_rate_hz`` where the data do not tell, and those of the features themselves. A string that
        begins with a brace is such a dictionary as JSON.

    Raises
    ------
    UsageError
        If a name or an option is unknown.
    """
    if given is None:
        return None
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise UsageError(
                f"features: {given[:60]!r} is no JSON; write features='{{\"name\": ...}}'."
            ) from None
    options: dict[str, Any] = {}
    if isinstance(given, Mapping):
        options = dict(given)
        given = options.pop("name", None)
        if given is None:
            raise UsageError(
                f"features: a dictionary needs a 'name' beside its options; got {listing(options)}."
            )
    names = [n.strip() for n in given.split(",")] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) for n in names):
        raise UsageError(f"features: must be a name, several names, or a dictionary; got {given!r:.60}.")
    for name in names:
        if name not in NAMES:
            raise UsageError(
                f"features: there is no {name!r}; known are {listing(NAMES, 20)}.{did_you_mean(name, NAMES)}"
            )
    if BeatIntervals.name in names and len(names) > 1:
        raise UsageError(
            "features: beat_intervals gives a row per heartbeat and cannot stand beside features that give a row per window."
        )
    expanded = list(dict.fromkeys(one for name in names for one in GROUPS.get(name, (name,))))
    _check_options(expanded, options)
    return ParsedFeatures(tuple(expanded), options)


def _check_options(names: Sequence[str], options: Mapping[str, Any]) -> None:
    own = ["sample_rate_hz"] if names == [BeatIntervals.name] else [*WINDOW_OPTIONS]
    own += [field.name for name in names if name in PARTS for field in fields(PARTS[name])]
    for word, value in options.items():
        if word not in own:
            raise UsageError(
                f"features: {', '.join(names)} takes no option {word!r}; known are {listing(own, 20)}."
                f"{did_you_mean(word, own)}"
            )
        if word in ("center", "direction") and not isinstance(value, bool):
            raise UsageError(f"features: {word} must be True or False; got {value!r}.")
        if word in ("window_s", "hop_s", "sample_rate_hz"):
            check_number("features", word, value, low=0, low_open=True)
        if word == "deltas":
            check_number("features", word, value, integer=True, low=0, high=100)


def make_features(words: ParsedFeatures, channels: int, rate_hz: float | None) -> list[Any]:
    """Return the features of so many channels at a sampling rate, in the order they are applied.

    Raises
    ------
    UsageError
        If the rate is not known, or contradicts the one among the options, or a feature cannot be computed.
    """
    options = dict(words.options)
    rate = _rate(options.pop("sample_rate_hz", None), rate_hz)
    if BeatIntervals.name in words.names:
        return [BeatIntervals(rate)]
    window_s = options.pop("window_s", 0.025 if rate >= _SOUND_HZ else 0.5)
    window = max(1, round(window_s * rate))
    hop_s = options.pop("hop_s", None)
    hop = max(
        1,
        round(
            (window_s * 0.4 if rate >= _SOUND_HZ else window_s / 4) * rate if hop_s is None else hop_s * rate
        ),
    )
    if hop > window:
        raise UsageError(
            f"features: hop_s={hop_s:g} must be at most window_s={window_s:g}; no sample may be left out."
        )
    deltas = options.pop("deltas", 0)
    shared = {word: options.pop(word) for word in ("taper", "center") if word in options}
    parts = [make_part(name, options) for name in words.names]
    windows = Windows(tuple(parts), window, hop, rate, **shared)
    windows.check(channels)
    return [windows, Deltas(deltas)] if deltas else [windows]


def _rate(said: float | None, known: float | None) -> float:
    if said is not None and known is not None and abs(said - known) > 0.01 * known:
        raise UsageError(
            f"features: sample_rate_hz={said:g} contradicts the data, which are sampled at {known:g} Hz."
        )
    rate = said if said is not None else known
    if rate is None:
        raise UsageError(
            "features: the sampling rate is not known; give a Dataset that has one (load with sample_rate_hz=), or "
            "features={'name': ..., 'sample_rate_hz': ...}."
        )
    return float(rate)
