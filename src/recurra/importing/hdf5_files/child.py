"""Reads a file of HDF5 in a process of its own: a damaged one can make the library behind h5py hang or die.

Run as a program with how many bytes the arrays may have; the file comes in, a line of JSON and the arrays go out. It
imports nothing of recurra's.
"""

import contextlib
import io
import json
import math
import sys
from typing import Any

SECONDS = 10  # of processor time
MEMORY = 4 << 30  # of address space, beside twice the arrays
MOST_NODES, MOST_DEPTH = 100_000, 32
ATTRIBUTES = ("model_config", "keras_version", "weight_names", "MATLAB_class", "MATLAB_empty")
LEFT_OUT = ("optimizer", "optimizer_weights")  # what training went on from


class Walk:
    """Everything in a file that recurra reads of a network.

    Parameters
    ----------
    file : h5py.File
    limit : int
        Bytes that all arrays together may have.
    """

    def __init__(self, file: Any, limit: int) -> None:
        self.file, self.left = file, limit
        self.nodes: dict[str, dict[str, Any]] = {}
        self.arrays: list[bytes] = []

    def add(self, place: str, node: Any, depth: int) -> None:
        """Take note of a node and of what is below; only links within the file are followed."""
        import h5py

        if len(self.nodes) >= MOST_NODES or depth > MOST_DEPTH:
            raise ValueError(f"it has more than {MOST_NODES} nodes, or is deeper than {MOST_DEPTH}")
        facts: dict[str, Any] = {"attributes": attributes_of(node)}
        self.nodes[place] = facts
        if isinstance(node, h5py.Dataset):
            facts.update(self.content(node))
        elif isinstance(node, h5py.Group):
            facts["names"] = names = list(node)
            for name in names:
                if depth == 0 and name in LEFT_OUT:
                    continue
                below = f"{place}/{name}".lstrip("/")
                if isinstance(node.get(name, getlink=True), h5py.HardLink):
                    self.add(below, node[name], depth + 1)
                else:
                    self.nodes[below] = {"link": True, "attributes": {}}

    def content(self, node: Any) -> dict[str, Any]:
        """Return where the numbers of a dataset are among the arrays, or which nodes its references name."""
        import h5py
        import numpy as np

        if node.is_virtual or node.external:
            return {"link": True}
        if node.dtype.kind == "O" and h5py.check_ref_dtype(node.dtype) is h5py.Reference:
            self.count(math.prod(node.shape or ()) * 16)
            return {
                "references": [self.file[one].name.lstrip("/") for one in np.asarray(node[()]).reshape(-1)]
            }
        if node.dtype.kind not in "biuf" or node.shape is None:
            return {"kind": str(node.dtype)}
        self.count(math.prod(node.shape) * node.dtype.itemsize)
        array = np.array(node[()], order="C")
        self.arrays.append(array.tobytes())
        return {"array": len(self.arrays) - 1, "dtype": array.dtype.str, "shape": array.shape}

    def count(self, size: int) -> None:
        """Raise ValueError where the arrays become too many."""
        self.left -= size
        if self.left < 0:
            raise ValueError("its arrays unfold to far more bytes than it has, as those of a zip bomb")


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes that recurra reads, as JSON can hold them."""
    found: dict[str, Any] = {}
    for name in ATTRIBUTES:
        if name in node.attrs:
            value = node.attrs[name]
            value = value.tolist() if hasattr(value, "tolist") else value
            flat = value if isinstance(value, list) else [value]
            texts = [one.decode() if isinstance(one, bytes) else one for one in flat]
            if all(isinstance(one, str | int | float) for one in texts):
                found[name] = texts if isinstance(value, list) else texts[0]
    return found


def main() -> None:
    """Read standard input, write what is in it."""
    limit = int(sys.argv[1])
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY + 2 * limit, MEMORY + 2 * limit))
    import h5py

    data = sys.stdin.buffer.read()
    out: dict[str, Any]
    arrays: list[bytes] = []
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            walk = Walk(file, limit)
            walk.add("", file["/"], 0)
        arrays = walk.arrays
        out = {"nodes": walk.nodes, "sizes": [len(one) for one in arrays]}
    except Exception as error:  # whatever h5py makes of a damaged file is told, and nothing else
        out = {"error": (str(error) or type(error).__name__).splitlines()[0][:200]}
    sys.stdout.buffer.write(json.dumps(out).encode() + b"\n")
    for one in arrays:
        sys.stdout.buffer.write(one)


if __name__ == "__main__":
    main()
