"""The network that forecasts: one recurrence reads the past, another writes the horizon, beside a linear path."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.checks import check_choice, check_number, listing
from recurra.errors import ShapeError, UsageError
from recurra.kernels.cell import PLAIN
from recurra.nn.cells.layers_by_name import LAYERS
from recurra.nn.initialization import initialize
from recurra.nn.random_generators import OwnDraws, dropout
from recurra.ragged import Ragged

# The heads begin with this share of their usual weights: at first a forecast is its level.
HEAD_START = 0.1


@dataclass(frozen=True)
class ForecastConfig:
    """What a `ForecastNetwork` looks like; every field is checked when it is made.

    A row holds ``n_targets`` values, as many marks of whether they were observed, ``n_lags`` times ``n_targets``
    earlier values, then whatever else is known of the step.

    Raises
    ------
    UsageError
        If a field is not what its comment allows.
    """

    cell: str  # "rnn", "lstm" or "gru"
    input_size: int  # columns of a row, at least 2 * n_targets
    n_targets: int  # series forecast together, at least 1
    horizon: int  # steps forecast at once, at least 1
    hidden_size: int  # channels of the state, at least 1
    n_outputs: int = 1  # numbers for each target and step: quantiles, or mean and spread
    num_layers: int = 1  # recurrent layers of each side, at least 1
    dropout: float = 0.0  # probability in [0, 1) of zeroing a feature, between layers and before the head
    n_lags: int = 0  # blocks of earlier values in a row
    level: int = 0  # a window's values are counted from the mean of its last so many; 0: as they are
    highway: int = 0  # last values that also reach the forecast in a straight line; 0: none
    noise: float = (
        0.0  # deviation of what is added to the values read while training, in the unit of the rows
    )

    def __post_init__(self) -> None:
        who = "ForecastConfig"
        check_choice(who, "cell", self.cell, tuple(PLAIN))
        for word in ("n_targets", "horizon", "hidden_size", "n_outputs", "num_layers"):
            check_number(who, word, getattr(self, word), integer=True, low=1)
        for word in ("n_lags", "level", "highway"):
            check_number(who, word, getattr(self, word), integer=True, low=0)
        check_number(who, "input_size", self.input_size, integer=True, low=self.n_targets * (2 + self.n_lags))
        check_number(who, "noise", self.noise, low=0)
        check_number(who, "dropout", self.dropout, low=0, high=1, high_open=True)

    @property
    def decoder_size(self) -> int:
        """Columns the second recurrence reads: what is known of a step ahead, and how far ahead it is."""
        return self.input_size - 2 * self.n_targets + 1

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "ForecastConfig":
        """Return the configuration of a dictionary; UsageError if a key is unknown."""
        known = [field.name for field in fields(cls)]
        for key in config:
            if key not in known:
                raise UsageError(f"ForecastConfig: unknown key {key!r}; known are {listing(known, 12)}.")
        return cls(**config)


class ForecastNetwork(nn.Module):
    r"""Encoder, decoder and a linear path [1]_, [2]_.

    The encoder reads the context. Its last state begins the decoder, which reads what is known of the steps ahead and
    gives all of them without being fed its own answers. With a ``highway`` of n steps, the last n values are added by
    a linear map of their own.

    Whatever stands in the first ``2 * n_targets`` columns of the last ``horizon`` rows is never read.

    Parameters
    ----------
    config : ForecastConfig
        What it looks like.

    References
    ----------
    .. [1] Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", 2017, arXiv:1711.11053.
    .. [2] Lai et al., "Modeling Long- and Short-Term Temporal Patterns with Deep Neural Networks", 2017,
       arXiv:1703.07015 (the linear path beside the recurrence).
    """

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def __init__(self, config: ForecastConfig) -> None:
        super().__init__()
        self.config = config
        words = {
            "num_layers": config.num_layers,
            "dropout": config.dropout if config.num_layers > 1 else 0.0,
        }
        with OwnDraws(), torch.device("cpu"):
            self.encoder = LAYERS[config.cell](config.input_size, config.hidden_size, **words)
            self.decoder = LAYERS[config.cell](config.decoder_size, config.hidden_size, **words)
            self.head = nn.Linear(
                config.hidden_size + config.decoder_size, config.n_targets * config.n_outputs
            )
            self.highway = nn.Linear(config.highway, config.horizon) if config.highway else None

    def forward(self, ragged: Ragged) -> Tensor:
        """Forecast from windows.

        Parameters
        ----------
        ragged : Ragged
            Torch values of shape (total_steps, input_size); the last ``horizon`` rows of each window lie ahead.

        Returns
        -------
        Tensor of shape (batch, horizon * n_targets * n_outputs)

        Raises
        ------
        ShapeError
            If the values have other columns, or a window has no row before its horizon.
        """
        c, values = self.config, ragged.values
        ends = np.cumsum(ragged.lengths)
        check_windows("ForecastNetwork", c.to_dict(), ragged)
        ahead = torch.from_numpy((ends[:, None] + np.arange(-c.horizon, 0)).reshape(-1)).to(values.device)
        past = np.ones(len(values), dtype=bool)
        past[ahead.cpu().numpy()] = False
        if self.training and c.noise:
            shape = (len(values), c.n_targets)
            drawn = torch.randn(shape, generator=self.generator, dtype=values.dtype, device=values.device)
            noise = c.noise * drawn
            values = torch.cat([values[:, : c.n_targets] + noise, values[:, c.n_targets :]], dim=1)
        level = self._level(values, ends)
        rows = self._leveled(values, level, ragged.lengths)
        before = Ragged(rows[torch.from_numpy(past).to(values.device)], ragged.lengths - c.horizon)
        _, state = self.encoder(before)
        known = self._known(rows[ahead], len(ragged))
        output, _ = self.decoder(Ragged(known, np.full(len(ragged), c.horizon)), state)
        features = torch.cat([dropout(self, output.values, c.dropout), known], dim=1)
        out = self.head(features).view(len(ragged), c.horizon, c.n_targets, c.n_outputs)
        return (out + self._straight(rows, level, ends)).flatten(1)

    def _level(self, values: Tensor, ends: np.ndarray) -> Tensor:
        """Return what each window counts from: shape (batch, n_targets)."""
        c = self.config
        if not c.level:
            return values.new_zeros(len(ends), c.n_targets)
        return self._last(values, ends, c.level).mean(1)

    def _last(self, values: Tensor, ends: np.ndarray, steps: int) -> Tensor:
        """Return the last values before the horizon: shape (batch, steps, n_targets)."""
        where = torch.from_numpy(ends[:, None] - self.config.horizon + np.arange(-steps, 0)).to(values.device)
        return values[where][..., : self.config.n_targets]

    def _leveled(self, values: Tensor, level: Tensor, lengths: np.ndarray) -> Tensor:
        c = self.config
        if not c.level:
            return values
        n, lagged = c.n_targets, c.n_targets * c.n_lags
        each = torch.repeat_interleave(level, torch.from_numpy(lengths).to(values.device), dim=0)
        parts = [values[:, :n] - each, values[:, n : 2 * n]]
        parts += [values[:, 2 * n : 2 * n + lagged] - each.repeat(1, c.n_lags), values[:, 2 * n + lagged :]]
        return torch.cat(parts, dim=1)

    def _known(self, rows: Tensor, batch: int) -> Tensor:
        """Return what the decoder reads: shape (batch * horizon, decoder_size)."""
        place = torch.arange(1, self.config.horizon + 1, dtype=rows.dtype, device=rows.device)
        return torch.cat(
            [(place / self.config.horizon).repeat(batch)[:, None], rows[:, 2 * self.config.n_targets :]],
            dim=1,
        )

    def _straight(self, rows: Tensor, level: Tensor, ends: np.ndarray) -> Tensor:
        """Return level and linear path: shape (batch, horizon or 1, n_targets, 1)."""
        out = level[:, None, :, None]
        if self.highway is None:
            return out
        last = self._last(rows, ends, self.config.highway)
        return out + self.highway(last.transpose(1, 2)).transpose(1, 2)[..., None]


def check_windows(who: str, config: Mapping[str, Any], ragged: Ragged) -> None:
    """Raise ShapeError unless every window has the columns and at least the rows that the network reads."""
    rows, needed = tuple(ragged.values.shape), max(1, config["level"], config["highway"]) + config["horizon"]
    if len(rows) != 2 or rows[1] != config["input_size"]:
        raise ShapeError(
            f"{who}: windows must have shape (total_steps, input_size={config['input_size']}); got {rows}."
        )
    if len(ragged) and ragged.lengths.min() < needed:
        raise ShapeError(
            f"{who}: a window must have at least {needed} rows, its horizon among them; got {ragged.lengths.min()}."
        )


def forecaster_from_arrays(config: ForecastConfig, arrays: Mapping[str, np.ndarray]) -> ForecastNetwork:
    """Return the network of a configuration with these weights, copied, which a checked model file holds."""
    network = ForecastNetwork(config)
    network.load_state_dict({name: torch.tensor(array, device="cpu") for name, array in arrays.items()})
    return network


def build(config: ForecastConfig, *, seed: int, initialization: str = "default") -> ForecastNetwork:
    """Return an initialised network; equal seeds give equal weights, no global generator is touched."""
    network = ForecastNetwork(config)
    generator = torch.Generator().manual_seed(seed)
    for layer in (network.encoder, network.decoder):
        initialize(layer, generator, initialization=initialization)
    with torch.no_grad():
        bound = HEAD_START * (6 / sum(network.head.weight.shape)) ** 0.5
        network.head.weight.uniform_(-bound, bound, generator=generator)
        network.head.bias.zero_()
        if network.highway is not None:
            network.highway.weight.zero_()
            network.highway.bias.zero_()
    return network
