"""``recurra export``: the network of a run as a file that runs without recurra."""

from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.messages import in_flags
from recurra.cli.next_steps import to_answer
from recurra.runs.exports.export import export
from recurra.store import check_place


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra export runs/gestures -o gestures.onnx",
        "recurra export runs/gestures -o gestures.onnx --step",
        "recurra export runs/gestures --to c -o gestures",
    ),
)
@click.argument("run")
@click.option(
    "-o",
    "--output",
    "--out",
    "out",
    required=True,
    type=click.Path(),
    help="ONNX file, or folder of C, to write.",
)
@click.option("--to", type=click.Choice(("onnx", "c")), default="onnx", show_default=True, help="Format.")
@click.option("--step", is_flag=True, help="ONNX: write the graph of one step, state in and out, besides.")
@click.option("--opset", type=int, help="ONNX: version of the operators, 14 to 22.  [default: 17]")
@click.option("--name", help="C: what public names begin with.  [default: as the folder]")
@click.option(
    "--longest",
    type=int,
    help="C: most rows of a sequence, for a network that reads it as a whole.  [default: as in the test part]",
)
@click.option("--weights-file", is_flag=True, help="C: weights in a file beside the source, not in it.")
@click.option("--int8", is_flag=True, help="C: weights of eight bits; prints what they cost in accuracy.")
@click.option("--data", help="Data to check on.  [default: the run's test part]")
@click.option("--json", "as_json", is_flag=True, help="Write what was written as one flat JSON object.")
@flags.data_flags
def command(run: str, out: str, to: str, data: str | None, as_json: bool, **given: Any) -> None:
    """Write the network of RUN as an ONNX file, or as C99 for a microcontroller.

    The file is run by onnxruntime, the C compiled and run, where these are installed, on the run's test part before it
    is handed over; an answer further than 1e-5 from recurra's is an error, and nothing is written.
    """
    how = {word: given.pop(word) for word in ("step", "opset", "name", "longest", "weights_file", "int8")}
    options = flags.given(given)
    if to == "onnx":  # of C the folder is made
        check_place(out)
    written = export(run, out, to=to, data=data, how=how, **options)
    if written.note:
        terminal_output.warn(in_flags(written.note))
    if as_json:
        facts: dict[str, Any] = {}
        for file, end in zip(written.files, ("", "_step"), strict=False):
            facts |= {f"{word}{end}": fact for word, fact in _facts(file).items()}
        for name, values in written.figures.items():
            facts |= {f"{name}.{word}": value for word, value in values.items()}
        return terminal_output.flat_json(facts)
    for file in written.files:
        if to == "c":
            _show_folder(file)
        else:
            _show_file(file)
    if written.figures:
        rows = [
            [name, *(f"{values[word]:,.6g}" for word in ("float", "int8"))]
            for name, values in written.figures.items()
        ]
        terminal_output.table(["with weights as", "float", "int8"], rows)
    if to == "c":
        name = written.files[0].name
        sources = [f"{out}/{name}.c", f"{out}/test_{name}.c"]
        return terminal_output.next_command(
            "cc", "-std=c99", "-O2", *sources, "-lm", "-o", f"{out}/test_{name}"
        )
    return terminal_output.next_command(*to_answer(run, data, options, judged=False))


def _facts(file: Any) -> dict[str, Any]:
    near = None if file.agreement is None else file.agreement.largest
    facts = {"output": str(file.path), "difference": near}
    if not hasattr(file, "costs"):
        return {**facts, "bytes": file.size}
    if file.agreement is not None and file.agreement.rounding is not None:
        facts["rounding"] = file.agreement.rounding
    costs = ("state_bytes", "stack_bytes", "flash_bytes", "multiplications")
    return {**facts, "name": file.name, "longest": file.longest, **{c: getattr(file.costs, c) for c in costs}}


def _show_file(file: Any) -> None:
    terminal_output.result(f"{file.path}: {file.size:,} bytes, {file.nodes} operators")
    for what in ("inputs", "outputs"):
        named = [f"{name} ({', '.join(map(str, shape))})" for name, shape in getattr(file, what).items()]
        terminal_output.result(f"  {what}: {', '.join(named)}")
    terminal_output.result(
        f"  {file.agreement or 'Not checked: pip install onnxruntime, which runs the file.'}"
    )


def _show_folder(folder: Any) -> None:
    terminal_output.result(f"{folder.path}: {', '.join(folder.files)}")
    costs = folder.costs
    rows = [
        ["RAM of a sequence", f"{costs.state_bytes:,} bytes"],
        ["RAM on the stack, about", f"{costs.stack_bytes:,} bytes"],
        ["flash, without code", f"{costs.flash_bytes:,} bytes"],
        ["multiplications of a row", f"{costs.multiplications:,}"],
    ]
    if folder.longest is not None:
        rows.append(["most rows of a sequence", f"{folder.longest:,}"])
    terminal_output.table(["what it costs", ""], rows)
    terminal_output.result(str(folder.agreement or "Not compiled: no C compiler (cc, gcc, clang) was found."))
