"""The command ``recurra``: finds the verb, turns errors into one sentence and an exit code.

Nothing but click is imported until a verb is chosen, so that ``recurra --help`` answers at once.
"""

import errno
import gc
import importlib
import os
import re
import stat
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import click

import recurra
from recurra import errors
from recurra.cli import standard_streams
from recurra.interrupts import Interrupted, end_at_once, end_on_signals
from recurra.runs.workers.team import end_with_agent, follows, is_launched

# Verb -> what it does in a line; the command of the same name lives in `recurra.cli.verbs.<verb>` as ``command``.
VERBS: dict[str, str] = {
    "look": "Show what is in the data, and what to watch out for.",
    "train": "Train, judge and save a network.",
    "tune": "Search for options that do better, on several processes.",
    "resume": "Go on with a run that was interrupted or killed.",
    "eval": "Judge a trained network on its test part, or on new data.",
    "predict": "Predict with a trained network, as CSV or JSON lines.",
    "stream": "Answer rows as they come, at once.",
    "generate": "Write text with a language model.",
    "explain": "Show which values of one sequence speak for its prediction.",
    "export": "Write a trained network as an ONNX file, or as C.",
    "import": "Read a network that was trained elsewhere.",
    "compare": "Put runs side by side and test the difference.",
    "studio": "Open a page to watch training, look inside, compare and label.",
    "datasets": "List the data sets that can be named.",
    "doctor": "Show versions, kernels, threads and where data are looked for.",
}

# A worker that does not lead waits so long before it says what went wrong.
SECONDS_TO_LEAD = 2

OK, NOT_DONE, WRONG_USAGE, BAD_DATA, RESUMABLE = range(5)

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.UsageError, WRONG_USAGE),
    (errors.MissingDataError, BAD_DATA),
    (errors.DataError, BAD_DATA),
    (errors.ShapeError, BAD_DATA),
    (errors.StoreError, BAD_DATA),
)


class Desk(click.Group):
    """Group whose verbs are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a project's life."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"recurra.cli.verbs.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is answered with the nearest known."""
        import difflib

        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0].lower(), VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The commands are: {', '.join(VERBS)}."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(
    cls=Desk,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  recurra look japanese-vowels\n  recurra train japanese-vowels -o runs/demo",
)
@click.version_option(recurra.__version__, prog_name="recurra")
@click.option("--debug", is_flag=True, envvar="RECURRA_DEBUG", help="Show the traceback of an error.")
@click.pass_context
def desk(ctx: click.Context, debug: bool) -> None:
    """Recurrent neural networks on real sequences: from a folder of recordings to a trained, judged network."""
    ctx.ensure_object(dict)["debug"] = debug


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    code = NOT_DONE
    # Arrow's allocator takes a gigabyte at once and touches little of it; under a limit (ulimit -d) all of it counts.
    os.environ.setdefault("MIMALLOC_ARENA_EAGER_COMMIT", "0")
    # Importing makes some 100,000 objects that stay; walking over them every 700 new ones takes a fifth of a short run.
    # Training makes no cycles at all (tests/training/test_garbage.py), so that nothing large waits for the walk.
    gc.set_threshold(50_000, 20, 50)
    try:
        standard_streams.prepare(sys.argv[1:])
        end_on_signals()
        end_with_agent()
        code = run(sys.argv[1:])
        standard_streams.leave()
        end_at_once(code)
    except KeyboardInterrupt:  # before anything was begun, or after everything was done
        pass
    sys.exit(code)


def run(args: Sequence[str]) -> int:
    """Run the command line and return its exit code.

    0 fine; 1 could not be done; 2 wrong usage; 3 bad data; 4 interrupted but resumable.
    """
    debug = "--debug" in args or os.environ.get("RECURRA_DEBUG", "") not in ("", "0")
    verb = next((arg for arg in args if not arg.startswith("-")), "")
    with warnings.catch_warnings():
        _own_warnings(debug, verb)
        try:
            # Not desk.main: that answers a closed pipe and Ctrl-C in its own way, with codes of its own.
            with desk.make_context("recurra", list(args), obj={"args": [*args]}) as context:
                code = desk.invoke(context)
            sys.stdout.flush()
        except click.exceptions.Exit as end:
            return end.exit_code
        except BaseException as error:
            return _failed(error, debug, verb)
    return code if isinstance(code, int) else OK


def exit_code(error: BaseException) -> int:
    """Return the exit code that an error stands for."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), NOT_DONE)


def _tell(text: str) -> None:
    """Write a line on standard error, fit for a screen."""
    from recurra.inspection.control_characters import printable

    click.echo(printable(text), err=True)


def _failed(error: BaseException, debug: bool, verb: str) -> int:
    """Say what went wrong in one sentence, on standard error."""
    if isinstance(error, BrokenPipeError) and not error.filename:  # whoever read the output has enough of it
        return OK
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else NOT_DONE
    if debug and not isinstance(error, click.ClickException):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        return _wrong_usage(error)
    if isinstance(error, Interrupted):
        if not (is_launched() or follows()):  # else another process says it for all
            _tell(f"Interrupted: {error}")
        return RESUMABLE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        if follows():
            return RESUMABLE
        _tell("Interrupted.")
        return NOT_DONE
    if follows():  # the first worker most likely says the same, and all are ended when it has
        time.sleep(SECONDS_TO_LEAD)
    if isinstance(error, errors.RecurraError):
        from recurra.cli.messages import in_flags

        _tell(f"Error: {in_flags(str(error), verb)}")
        return exit_code(error)
    if isinstance(error, MemoryError):
        advice = "Use a smaller --batch-size, or shorter or fewer sequences."
        _tell(f"Error: out of memory. {advice}")
        return NOT_DONE
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        _tell(" ".join([f"Error: {place}{error.strerror or error}.", *_advice(error)]))
        return NOT_DONE
    if isinstance(error, ModuleNotFoundError) and error.name:
        _tell(
            f"Error: this command needs the package {error.name}, which is not installed: {_how(error.name)}"
        )
        return NOT_DONE
    raise error


def _how(package: str) -> str:
    """Return what installs a package: the extra of recurra that asks for it, recurra itself, or the package alone."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, requires

    package = package.partition(".")[0]
    try:
        wanted = requires("recurra") or []
    except PackageNotFoundError:
        wanted = []
    names = {package, *packages_distributions().get(package, [])}
    for line in wanted:
        if re.split(r"[\s<>=!~;\[]", line)[0].replace("-", "_") in {name.replace("-", "_") for name in names}:
            extra = re.search(r"extra == ['\"](\w+)['\"]", line)
            return f"pip install 'recurra[{extra.group(1)}]'" if extra else "pip install recurra"
    return f"pip install {package}"


def _advice(error: OSError) -> list[str]:
    """Return what to do about a file that cannot be written or read."""
    out = []
    if not error.filename or _is_no_file(error.filename):  # a stream, not a place
        pass
    elif error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        out.append("What was there before is untouched; free some space.")
    elif error.errno == errno.ENOENT and not os.path.isdir(os.path.dirname(str(error.filename)) or "."):
        out.append(f"Make the folder {os.path.dirname(str(error.filename))} first, or give another place.")
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        out.append("What was there before is untouched; give a place that may be read and written.")
    return [*out, *getattr(error, "__notes__", [])]


def _is_no_file(name: Any) -> bool:
    """Whether a path leads to a device, a pipe or a socket, which has no content that could be untouched."""
    try:
        mode = os.stat(name).st_mode
    except (OSError, TypeError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _wrong_usage(error: click.ClickException) -> int:
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _tell(error.format_message())
        return WRONG_USAGE
    _tell(f"Error: {error.format_message()}")
    if ctx is not None:
        _tell(f"See '{ctx.command_path} --help'.")
    return error.exit_code if not isinstance(error, click.UsageError) else WRONG_USAGE


def _own_warnings(debug: bool, verb: str) -> None:
    """Show our warnings as one line, without the line of code; others, which tell of code, with --debug only."""

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        if follows():
            return
        if issubclass(category, errors.RecurraWarning):
            from recurra.cli.messages import in_flags

            _tell(f"Warning: {in_flags(str(message), verb)}")
        elif debug and not issubclass(category, DeprecationWarning):
            _tell(f"Warning ({category.__name__}): {str(message).splitlines()[0]}")

    warnings.showwarning = show
