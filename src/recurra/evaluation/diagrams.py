"""Diagrams generated from the actual modules: `unrolled`, `compare`, `network`; and how far gradients reach.

Examples
--------
>>> import recurra
>>> picture = recurra.draw.compare("rnn", "lstm", "gru")
>>> picture
Drawing('Inside RNN, LSTM, GRU')
>>> picture.save("cells.svg")  # doctest: +SKIP
"""

from recurra.evaluation.drawing.cells import compare
from recurra.evaluation.drawing.network import network
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.drawing.unrolled import unrolled
from recurra.evaluation.explanations.gradient_flow import compare_gradient_flow, gradient_flow, gradient_reach

__all__ = [
    "Drawing",
    "compare",
    "compare_gradient_flow",
    "gradient_flow",
    "gradient_reach",
    "network",
    "unrolled",
]
