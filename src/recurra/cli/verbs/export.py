"""``recurra export``: the network of a run as a file that runs without recurra."""

from typing import Any

import click

from recurra.cli import flags, terminal_output
from recurra.cli.main import in_flags
from recurra.runs.exports.export import export


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples(
        "recurra export runs/gestures -o gestures.onnx",
        "recurra export runs/gestures -o gestures.onnx --step",
    ),
)
@click.argument("run")
@click.option("-o", "--output", "--out", "out", required=True, type=click.Path(), help="File to write.")
@click.option("--step", is_flag=True, help="Write the graph of one step, state in and out, besides.")
@click.option("--opset", type=int, help="Version of ONNX's operators, 14 to 22.  [default: 17]")
@click.option("--data", help="Data to check the file on.  [default: the run's test part]")
@click.option("--json", "as_json", is_flag=True, help="Write what was written as one flat JSON object.")
@flags.data_flags
def command(
    run: str,
    out: str,
    step: bool,
    opset: int | None,
    data: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write the network of RUN as an ONNX file that any runtime for it can run.

    The file is run by onnxruntime, where that is installed, on the run's test part before it is handed over; an answer
    further than 1e-5 from recurra's is an error, and no file is written.
    """
    written = export(run, out, step=step, opset=opset, data=data, **flags.given(given))
    if written.note:
        terminal_output.warn(in_flags(written.note))
    if as_json:
        facts: dict[str, Any] = {}
        for file, end in zip(written.files, ("", "_step"), strict=False):
            near = file.agreement.largest if file.agreement is not None else None
            facts |= {f"output{end}": str(file.path), f"bytes{end}": file.size, f"difference{end}": near}
        return terminal_output.flat_json(facts)
    for file in written.files:
        terminal_output.result(f"{file.path}: {file.size:,} bytes, {file.nodes} operators")
        for what in ("inputs", "outputs"):
            named = [f"{name} ({', '.join(map(str, shape))})" for name, shape in getattr(file, what).items()]
            terminal_output.result(f"  {what}: {', '.join(named)}")
        terminal_output.result(
            f"  {file.agreement or 'Not checked: pip install onnxruntime, which runs the file.'}"
        )
    return terminal_output.next_command("recurra", "predict", run, data or "DATA")
