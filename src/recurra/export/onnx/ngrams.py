"""The linear part of a model of texts: n-grams are counted outside, known and weighed by rarity inside of the graph."""

import numpy as np

from recurra.export.onnx.graph import Graph
from recurra.export.onnx.wide import summed
from recurra.features.texts.ngrams import NGrams
from recurra.serving.models.wide import Wide

# Behind every checksum of 32 bits.
BEHIND = 2**40
MEANING = (
    "ngrams: for each word and pair of words the CRC-32 of 'w' and it, for each run of 2 to 5 letters of a word between "
    "blanks that of 'l' and it, as UTF-8, of the text in lower case after NFKC; rising. counts: how often each is there, 0 "
    "for none. In Python: recurra.features.texts.ngrams.counted(text)."
)


def scores(graph: Graph, wide: Wide) -> str:
    """Declare the inputs and return what the linear map answers: (batch, outputs).

    Inputs are ``ngrams`` (batch, ngrams), checksums as `recurra.features.texts.ngrams.counted` gives them, and ``counts``
    of the same shape, 0 where there is none.
    """
    features = wide.features
    assert isinstance(features, NGrams)
    ids = graph.input("ngrams", np.int64, ("batch", "ngrams"))
    counts = graph.input("counts", np.int64, ("batch", "ngrams"))
    places, known = _found(graph, features, ids)
    known = graph.cast(
        graph.add("And", known, graph.add("Greater", counts, graph.constant(0, np.int64))), np.float64
    )
    often = graph.cast(graph.add("Max", counts, graph.constant(1, np.int64)), np.float64)
    often = graph.add("Add", graph.add("Log", often), graph.constant(1, np.float64))
    rarity = graph.constant(_filled(features.rarity), np.float64, name="wide.rarity")
    weights = graph.add("Mul", often, graph.add("Gather", rarity, places, axis=0))
    weights = graph.add("Mul", weights, known)
    of_words = graph.constant(_filled(features.of_words), np.float64, name="wide.of_words")
    words = graph.add("Gather", of_words, places, axis=0)
    letters = graph.add("Sub", graph.constant(1, np.float64), words)
    parts = [_of_length_one(graph, graph.add("Mul", weights, kind)) for kind in (words, letters)]
    each = graph.unsqueeze(graph.cast(graph.add("Add", *parts), np.float32), 2)
    table = graph.constant(_filled(wide.weight.T), np.float32, name="wide.weight")
    return summed(graph, graph.add("Mul", each, graph.add("Gather", table, places, axis=0)), wide.bias)


def _filled(array: np.ndarray) -> np.ndarray:
    """Return an array of at least one entry: nothing is looked up in an empty one."""
    return array if len(array) else np.zeros((1, *array.shape[1:]), array.dtype)


def _found(graph: Graph, features: NGrams, ids: str) -> tuple[str, str]:
    """Return the place of the last known checksum that is not above each, found by halves, and whether they are equal."""
    steps = max(features.size - 1, 0).bit_length()
    known = np.full(2**steps, BEHIND, np.int64)
    known[: features.size] = features.ids
    table = graph.constant(known, name="wide.ids")
    places = graph.add("Mul", ids, graph.constant(0, np.int64))
    for step in reversed(range(steps)):
        further = graph.add("Add", places, graph.constant(2**step, np.int64))
        above = graph.add("Greater", graph.add("Gather", table, further, axis=0), ids)
        places = graph.add("Where", above, places, further)
    return places, graph.add("Equal", graph.add("Gather", table, places, axis=0), ids)


def _of_length_one(graph: Graph, weights: str) -> str:
    squares = graph.reduce("ReduceSum", graph.add("Mul", weights, weights), 1, keep=True)
    none = graph.add("Equal", squares, graph.constant(0, np.float64))
    length = graph.add("Sqrt", graph.add("Where", none, graph.constant(1, np.float64), squares))
    return graph.add("Div", weights, length)
