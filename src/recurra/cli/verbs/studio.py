"""``recurra studio``: a local page on the runs below a folder."""

import click

from recurra.cli import flags, terminal_output
from recurra.studio.serving import serve


@click.command(
    cls=flags.SectionedCommand,
    epilog=flags.examples("recurra studio", "recurra studio runs/ --port 8800 --no-browser"),
)
@click.argument("folder", default=".")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="On this machine.  [default: a free one]"
)
@click.option("--read-only", is_flag=True, help="Change nothing: no notes, labels, buttons or new runs.")
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
def command(folder: str, port: int, read_only: bool, no_browser: bool) -> None:
    """Open a page on the runs below FOLDER: watch training, look inside, compare, label, begin.

    Only this machine is served, only who has the address with its token, and only what is below FOLDER. Ctrl-C ends it.
    """

    def tell(url: str) -> None:
        terminal_output.result(url)
        terminal_output.say("Ctrl-C ends it; trainings that were begun on the page go on.")

    serve(folder, port=port, read_only=read_only, browser=not no_browser, tell=tell)
