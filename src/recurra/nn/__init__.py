"""Torch modules: recurrent layers that know where each sequence ends, pooling, whole networks."""

from recurra.nn.accelerate import AccelerateReport, accelerate, decelerate
from recurra.nn.gru import GRU
from recurra.nn.initialization import initialize
from recurra.nn.layouts import pad, to_ragged
from recurra.nn.lstm import LSTM
from recurra.nn.network import NetworkConfig, SequenceNetwork, build, from_arrays, to_arrays
from recurra.nn.pooling import AttentionPooling
from recurra.nn.rnn import RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AccelerateReport",
    "AttentionPooling",
    "NetworkConfig",
    "SequenceNetwork",
    "accelerate",
    "build",
    "decelerate",
    "from_arrays",
    "initialize",
    "pad",
    "to_arrays",
    "to_ragged",
]
