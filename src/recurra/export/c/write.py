"""The folder of C: source, header, test vectors and how to build it, compiled and run where there is a compiler."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra import store
from recurra.checks import check_number
from recurra.errors import RecurraError, UsageError
from recurra.export.c import code, vectors
from recurra.export.c.costs import Costs, costs
from recurra.export.c.layout import Layout, Weights, check_c, check_name
from recurra.export.c.readme import readme
from recurra.export.model.agreement import TOLERANCE, Agreement, batches, difference, expected
from recurra.export.model.boundary import Exported, cut
from recurra.export.model.rounding import in_int8

# Programs that compile C, the first that is there is taken.
COMPILERS = ("cc", "gcc", "clang")


@dataclass(frozen=True)
class CFolder:
    """What was written.

    Parameters
    ----------
    path : Path
        The folder.
    name : str
        Before every public name.
    files : tuple of str
    costs : Costs
    float_flash_bytes : int
        Flash of the same network with weights of 32 bits.
    longest : int or None
        Most rows of a sequence, where the whole of it has to be there.
    agreement : Agreement or None
        How near the compiled program comes to recurra; None where there is no compiler.
    """

    path: Path
    name: str
    files: tuple[str, ...]
    costs: Costs
    float_flash_bytes: int
    longest: int | None
    agreement: Agreement | None


def write_c(
    model: Any,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    longest: int | None = None,
    weights_file: bool = False,
    int8: bool = False,
    sequences: Sequence[Any] | None = None,
) -> CFolder:
    """Write a model as C99 without memory from the heap, and with test vectors.

    Parameters
    ----------
    model : FittedModel
    path : path
        The folder.
    name : str, optional
        Before every public name; that of the folder by default.
    longest : int, optional
        Most rows of a sequence where the network reads it as a whole, as a bidirectional one does; those of the longest
        sequence that it is checked on by default.
    weights_file : bool, default=False
        Whether the weights go into a file of float32 numbers, which the caller reads, and not into the source.
    int8 : bool, default=False
        Whether the matrices of the recurrence and of the head have eight bits a number. The C then answers as
        `recurra.export.model.rounding.in_int8` of the model does.
    sequences : list, optional
        Raw sequences on which the C is checked; random ones by default.

    Raises
    ------
    UsageError
        If the C that is written cannot hold the model.
    RecurraError
        If the compiled program answers otherwise than recurra; nothing is written.
    """
    if int8 and weights_file:
        raise UsageError("export: weights of int8 stand in the source; leave weights_file=True out.")
    check_c(cut(model))
    exported = cut(in_int8(model) if int8 else model)
    if longest is not None:
        check_number("export", "longest", longest, integer=True, low=1)
    if Path(path).exists() and not Path(path).is_dir():
        raise UsageError(f"export: C goes into a folder, and {path} is a file; give another place.")
    chosen = check_name(Path(path).resolve().name if name is None else name)
    rows = batches(exported, sequences)[0]
    layout = Layout(exported, chosen, longest or max(len(own) for own in rows), int8)
    if layout.whole and not any(len(own) <= layout.longest for own in rows):
        shortest = min(len(own) for own in rows)
        raise UsageError(
            f"export: longest must be at least {shortest}, the rows of the shortest sequence of the check; got {longest}."
        )
    rounding = _rounding(cut(model), exported, rows) if int8 else None
    rows = vectors.chosen(layout, rows)
    weights = Weights(layout)
    cost = costs(layout, weights)
    files = files_of(layout, weights, cost, rows, weights_file=weights_file, rounding=rounding)
    agreement = _checked(layout, files, rows, of_run=sequences is not None)
    agreement = None if agreement is None else replace(agreement, rounding=rounding)
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        store.write_bytes(folder / file, data)
    plain = replace(layout, int8=False)
    whole = costs(plain, Weights(plain)).flash_bytes if int8 else cost.flash_bytes
    longest = layout.longest if layout.whole else None
    return CFolder(folder, chosen, tuple(files), cost, whole, longest, agreement)


def files_of(
    layout: Layout,
    weights: Weights,
    cost: Costs,
    rows: Sequence[np.ndarray],
    *,
    weights_file: bool = False,
    rounding: float | None = None,
) -> dict[str, bytes]:
    """Return the content of every file by its name; ``rows`` are the sequences of the test."""
    name = layout.name
    count = len(weights.numbers) if weights_file else 0
    texts = {
        f"{name}.h": code.header(layout, weights_file=weights_file),
        f"{name}.c": code.source(layout, weights, weights_file=weights_file),
        "test_vectors.h": vectors.vectors(layout, rows),
        f"test_{name}.c": vectors.program(layout, weights_file=count),
        "README.md": readme(layout, cost, weights_file=weights_file, rounding=rounding),
    }
    files = {file: text.encode() for file, text in texts.items()}
    if weights_file:
        files[f"{name}.bin"] = weights.numbers.astype("<f4").tobytes()
    return files


def _rounding(plain: Exported, rounded: Exported, rows: Sequence[np.ndarray]) -> float:
    """Return how far weights of eight bits move an answer, as `Agreement.largest` counts it."""
    right, found = expected(plain, rows), expected(rounded, rows)
    return max(difference(plain, name, right[name], found[name]) for name in right)


def _checked(
    layout: Layout, files: Mapping[str, bytes], rows: Sequence[np.ndarray], *, of_run: bool
) -> Agreement | None:
    """Return how far the compiled program is from recurra."""
    compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for file, data in files.items():
            Path(folder, file).write_bytes(data)
        sources = [f"{layout.name}.c", f"test_{layout.name}.c"]
        command = [compiler, "-std=c99", "-O2", *sources, "-lm", "-o", "test_program"]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode:
            raise RecurraError(
                f"export: {Path(compiler).name} does not compile the C that was written, so it was not kept; please report "
                f"it with the model file. It says: {built.stderr.strip()[:300]}"
            )
        ran = subprocess.run(["./test_program"], cwd=folder, capture_output=True, text=True, check=False)
    found = re.search(r"largest difference (\S+)", ran.stdout)
    largest = float(found[1]) if found else float("inf")
    if ran.returncode or not largest <= TOLERANCE:
        raise RecurraError(
            f"export: the compiled C differs from recurra by {largest:.2g}, more than {TOLERANCE:g}, so it was not kept; "
            "please report it with the model file."
        )
    who = f"the program compiled by {Path(compiler).name}"
    return Agreement(who, of_run=of_run).with_difference(largest, rows)
