"""Studio: one local page on the run folders below a folder. ``recurra.studio(run)`` shows it in a notebook.

Everything the page shows comes from run folders, and all that it changes it changes by a button: training by
``control.txt``, notes, label files, new runs.

- `app`: the addresses of the page, each one a function, as a Starlette application
- `begin`: data below the folder looked at, a training begun as a process, a network exported
- `files`: what is below the folder, and nothing outside of it
- `guard`: who may ask: host, origin and token
- `inside`: sequences of a run with what the network thought of them, the worst mistakes first
- `labels`: stretches of a recording with their labels, as the file that `recurra.load` reads
- `live`: a training that goes on: its history as it grows, and the file it is steered by
- `recordings`: long recordings as the least and greatest value of each point on the screen
- `runs`: the table of all runs, and some of them side by side
- `serving`: the server for the command line and for a notebook
- `words`: what a request says, checked
"""

import sys
from types import ModuleType
from typing import Any


class _Studio(ModuleType):
    """The room itself can be called: `recurra.studio` is its name and that of the function."""

    def __call__(self, run: Any = ".", **options: Any) -> Any:
        """Show the page in a notebook; see `recurra.studio.serving.studio`."""
        from recurra.studio.serving import studio

        return studio(run, **options)


sys.modules[__name__].__class__ = _Studio
