"""The layer of every cell by its name; what a cell is stands in `recurra.kernels.cell`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from recurra.kernels.cell import VARIANTS
from recurra.nn.cells.gru import GRU
from recurra.nn.cells.lstm import LSTM
from recurra.nn.cells.rnn import RNN

_PLAIN: Mapping[str, Callable[..., Any]] = {
    "rnn": RNN,
    "rnn_relu": partial(RNN, nonlinearity="relu"),
    "lstm": LSTM,
    "gru": GRU,
}
LAYERS: Mapping[str, Callable[..., Any]] = {
    **_PLAIN,
    **{name: partial(_PLAIN[variant.base], **variant.options()) for name, variant in VARIANTS.items()},
}
