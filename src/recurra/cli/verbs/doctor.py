"""``recurra doctor``: versions, kernels, threads, and where data are looked for; works when something is missing."""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib import metadata, util
from typing import Any

import click

import recurra
from recurra.cli import flags, terminal_output

BASE = {
    "numpy": "numpy", "scipy": "scipy", "scikit-learn": "sklearn", "torch": "torch", "safetensors": "safetensors",
    "click": "click", "rich": "rich", "matplotlib": "matplotlib", "jinja2": "jinja2",
}  # fmt: skip
# Needed to predict; without the others of the base a model cannot be trained.
SERVING = ("numpy", "safetensors")
EXTRAS = {
    "tokenizers": ("tokenizers", "text"), "wordcloud": ("wordcloud", "text"), "sacrebleu": ("sacrebleu", "text"),
    "soundfile": ("soundfile", "audio"), "edfio": ("edfio", "edf"), "h5py": ("h5py", "mat"), "av": ("av", "video"),
    "pillow": ("PIL", "video"), "onnx": ("onnx", "onnx"), "onnxruntime": ("onnxruntime", "onnx"),
    "pyarrow": ("pyarrow", ""), "pandas": ("pandas", ""), "polars": ("polars", ""),
}  # fmt: skip


def doctor() -> dict[str, Any]:
    """Return what recurra runs on, as a flat dictionary; what cannot be found out says why.

    Returns
    -------
    dict
        ``recurra``, ``python``, ``platform``, versions of packages (None where absent), ``kernels_*`` as
        `recurra.kernels.describe` tells, ``compiler``, ``threads_*``, ``data_*``.
    """
    found: dict[str, Any] = {
        "recurra": recurra.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package, module in {**BASE, **{name: module for name, (module, _) in EXTRAS.items()}}.items():
        found[package] = _version(package, module)
    found |= _try("kernels", _kernels)
    found["compiler"] = next(
        (path for name in ("c++", "g++", "clang++", "cl") if (path := shutil.which(name))), None
    )
    found |= _threads()
    found |= _try("data", _data)
    return found


def _version(package: str, module: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown version" if util.find_spec(module) else None


def _try(what: str, probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return probe()
    except Exception as error:
        return {f"{what}_problem": f"{type(error).__name__}: {error}"}


def _kernels() -> dict[str, Any]:
    describe = importlib.import_module("recurra.kernels").describe
    return {f"kernels_{name}": value for name, value in describe().items()}


def _threads() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "threads_cores": os.cpu_count(),
        "threads_usable": usable,
        "threads_omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }


def _data() -> dict[str, Any]:
    fetch = importlib.import_module("recurra.datasets.fetch")
    given = os.environ.get("RECURRA_DATA")
    there = f" ({'there' if os.path.isdir(given) else 'not there'})" if given else ""
    return {
        "data_recurra_data": f"{given}{there}" if given else None,
        "data_cache": str(fetch.cache_folder()),
    }


def _advice(found: dict[str, Any]) -> list[str]:
    out = []
    absent = [name for name in BASE if found[name] is None]
    if any(name in SERVING for name in absent):
        out.append(
            f"Nothing works without {' and '.join(n for n in absent if n in SERVING)}: pip install recurra"
        )
    elif absent:
        out.append(f"A trained model predicts; to train, {', '.join(absent)} is missing: pip install recurra")
    if found.get("kernels_native") is False:
        where = "A compiler is there" if found["compiler"] else "Install a C++17 compiler"
        out.append(
            f"Runs on the reference kernels ({found['kernels_reason']}). {where}; reinstall recurra to build them."
        )
    extras = sorted({extra for name, (_, extra) in EXTRAS.items() if extra and found[name] is None})
    if extras:
        out.append(f"For more kinds of data: pip install 'recurra[{','.join(extras)}]'")
    out += [
        f"{name.removesuffix('_problem')}: {value}"
        for name, value in found.items()
        if name.endswith("_problem")
    ]
    return out


@click.command(epilog=flags.examples("recurra doctor", "recurra doctor --json"))
@click.option("--json", "as_json", is_flag=True, help="Write one flat JSON object.")
def command(as_json: bool) -> int:
    """Show versions, kernels, threads and where data are looked for."""
    found = doctor()
    if as_json:
        terminal_output.flat_json(found)
    else:
        _show(found)
    return 1 if any(found[name] is None for name in SERVING) else 0


def _show(found: dict[str, Any]) -> None:
    terminal_output.result(f"recurra {found['recurra']} on Python {found['python']}, {found['platform']}")
    terminal_output.result(f"  {sys.executable}")
    for heading, names in (("Packages", list(BASE)), ("Extras", list(EXTRAS))):
        terminal_output.result(f"\n{heading}")
        terminal_output.facts([(name, found[name] or "absent") for name in names], err=False)
    for heading, prefix in (
        ("Kernels", "kernels_"),
        ("Threads", "threads_"),
        ("Data are looked for in", "data_"),
    ):
        terminal_output.result(f"\n{heading}")
        rows = [
            (name.removeprefix(prefix).replace("_", " "), v)
            for name, v in found.items()
            if name.startswith(prefix)
        ]
        rows += [("compiler", found["compiler"] or "none found")] if prefix == "kernels_" else []
        terminal_output.facts(
            [(n, "not set" if v is None and prefix != "kernels_" else v) for n, v in rows], err=False
        )
    advice = _advice(found)
    terminal_output.result()
    for line in advice or ["All is well."]:
        terminal_output.result(line)
    terminal_output.next_command("recurra", "datasets")
