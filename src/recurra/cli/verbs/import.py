# ruff: noqa: N999 (the verb's name is a word of Python's)
"""``recurra import``: a network that other software trained, as a model file of recurra's or as weights."""

from pathlib import Path
from typing import Any

import click

from recurra import store
from recurra.cli import flags, terminal_output
from recurra.errors import UsageError


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra import gestures.keras -o gestures.recurra --classes left,right,up",
        "recurra import voice.onnx",
        "recurra import --matlab-script .",
    ),
)
@click.argument("file", required=False)
@click.option(
    "-o", "--output", "--out", "out", type=click.Path(),
    help="Model file to write (.recurra); of a module, its weights (.safetensors).",
)  # fmt: skip
@click.option("--to", type=click.Choice(("auto", "module", "estimator")), default="auto", show_default=True,
              help="What it becomes.")  # fmt: skip
@click.option(
    "--classes", help="Labels in the order of the outputs, separated by commas.  [default: 0, 1, ...]"
)
@click.option(
    "--matlab-script", "folder", type=click.Path(),
    help="Write recurra_layers.m, which writes a network of MATLAB's so that it can be read, into this folder.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write what was read as one flat JSON object.")
def command(
    file: str | None, out: str | None, to: str, classes: str | None, folder: str | None, as_json: bool
) -> None:
    """Read a network that was trained elsewhere: .keras, .h5, .onnx, .mat, or weights as .pt, .safetensors, .npz.

    Nothing in FILE is executed. A network that recurra knows becomes a model file that predicts, streams and exports; of
    any other the layers and the weights are told. A layer that cannot be taken is named with the reason.
    """
    if (file is None) == (folder is None):
        raise UsageError("import: name a file, or give --matlab-script FOLDER.")
    if folder is not None:
        return _write_script(Path(folder))
    assert file is not None
    from recurra.estimators.base import Estimator
    from recurra.importing.import_weights import import_weights
    from recurra.importing.onnx_files import recurrences

    labels = None if classes is None else [one.strip() for one in classes.split(",")]
    found = import_weights(file, to=to, classes=labels)
    trained = isinstance(found, Estimator)
    module = found.torch_network() if trained else found
    weights = sum(tensor.numel() for tensor in module.state_dict().values())
    layers, left = recurrences(module), getattr(found, "left", {})
    if out is not None:
        found.save(out) if trained else _save_weights(module, out)
    if as_json:
        facts: dict[str, Any] = {
            "file": file,
            "became": type(found).__name__,
            "weights": weights,
            "output": out,
        }
        return terminal_output.flat_json(
            {**facts, "layers": "; ".join(layers), "left_out": ", ".join(sorted(left))}
        )
    terminal_output.result(f"{file}: {type(found).__name__}, {weights:,} weights")
    for line in layers:
        terminal_output.result(f"  {line}")
    for name, reason in left.items():
        terminal_output.warn(f"{name} was left out: {reason}.")
    if out is not None:
        terminal_output.result(f"{out}: written")
        if trained:
            terminal_output.next_command("recurra", "export", out, "-o", str(Path(out).with_suffix(".onnx")))
        return None
    return terminal_output.next_command(
        "recurra", "import", file, "-o", f"{Path(file).stem}{store.SUFFIX if trained else '.safetensors'}"
    )


def _write_script(folder: Path) -> None:
    from recurra.importing.matlab_files import SCRIPT

    folder.mkdir(parents=True, exist_ok=True)
    store.write_bytes(folder / SCRIPT.name, SCRIPT.read_bytes())
    terminal_output.result(f"{folder / SCRIPT.name}: written. In MATLAB: recurra_layers(net, 'net.mat')")
    terminal_output.next_command("recurra", "import", "net.mat", "-o", "net.recurra")


def _save_weights(module: Any, out: str) -> None:
    from safetensors.torch import save

    store.write_bytes(out, save({name: tensor.contiguous() for name, tensor in module.state_dict().items()}))
