"""The import rule of ARCHITECTURE.md, read off every file, function-local imports included."""

import ast
from pathlib import Path

import pytest

import recurra

SOURCE = Path(recurra.__file__).parent

GROUND = frozenset(
    {"errors", "checks", "options", "plain_arrays", "records", "ragged", "store", "folder_lock", "interrupts"}
)
DATA = ("readers", "datasets", "features", "batches")
ARITHMETIC = ("kernels", "nn")
SIBLINGS = ("training", "evaluation", "serving")
INSPECTION = "inspection"  # needs no model: of the data rooms alone

# What each room may import, beside itself and the ground floor.
BELOW = {
    "readers": set(),
    "datasets": {"readers"},
    "features": {"readers", "datasets"},
    "batches": {"readers", "datasets", "features"},
    "kernels": set(),
    "nn": {"kernels"},
    INSPECTION: {*DATA},
    **{room: {*DATA, *ARITHMETIC} for room in SIBLINGS},
    "fitting": {*DATA, *ARITHMETIC, *SIBLINGS},
    "estimators": {*DATA, *ARITHMETIC, *SIBLINGS, "fitting"},
    "runs": {*DATA, *ARITHMETIC, *SIBLINGS, INSPECTION, "fitting", "estimators"},
    "cli": {*DATA, *ARITHMETIC, *SIBLINGS, INSPECTION, "fitting", "estimators", "runs"},
}
TORCH_FREE = GROUND | {*DATA, "kernels", "serving", INSPECTION}

# The one call upwards: Dataset.split is promised on the ground floor, its work is done in batches/.
EXCEPTIONS = {("records.py", "batches")}

# The front door loads everything by name when it is first asked for.
FRONT_DOOR = {"__init__.py", "__main__.py"}


def imports(text):
    """Yield (line, dotted module) of every import in a source text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield node.lineno, node.module
            if node.module == "recurra":
                for alias in node.names:
                    yield node.lineno, f"recurra.{alias.name}"
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield node.lineno, argument.value


def violations(path, text):
    """Return one line per import that the house forbids; ``path`` is relative to the package."""
    room = path.parts[0] if len(path.parts) > 1 else path.stem
    if len(path.parts) == 1 and path.name in FRONT_DOOR:
        return []
    allowed = GROUND | BELOW.get(room, set()) | ({room} if room in BELOW else set())
    found = []
    for line, module in imports(text):
        parts = module.split(".")
        if parts[0] == "torch" and room in TORCH_FREE:
            found.append(f"{path}:{line}: {room} must not import torch")
        if parts[0] == "click" and room != "cli":
            found.append(f"{path}:{line}: {room} must not import click")
        if parts[0] != "recurra" or len(parts) == 1:
            continue
        target = parts[1]
        known = target in GROUND or target in BELOW
        if known and target not in allowed and (str(path), target) not in EXCEPTIONS:
            found.append(f"{path}:{line}: {room} must not import {target}")
    return found


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_file_keeps_the_import_rule():
    found = [v for file in FILES for v in violations(file.relative_to(SOURCE), file.read_text())]
    assert not found, "\n".join(found)


def test_every_room_is_known():
    rooms = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms <= set(BELOW), f"a new room needs a reason in ARCHITECTURE.md: {rooms - set(BELOW)}"
    files = {p.stem for p in SOURCE.glob("*.py") if p.name not in FRONT_DOOR}
    assert files == GROUND


def test_names_say_something():
    odd = {"utils", "util", "misc", "common", "helpers", "tmp"}
    assert not [f for f in FILES if f.stem in odd]


def test_bases_of_scikit_learn_come_with_types():
    # scikit-learn ships none: with its own classes as bases every attribute is Any, and mypy finds none that is misspelt.
    untyped = [
        f.name for f in (SOURCE / "estimators").glob("*.py") if "from sklearn.base import" in f.read_text()
    ]
    assert untyped == ["base.py"], "take BaseEstimator and the mixins from recurra.estimators.base"


def modules(room):
    """Return the files of a room by their dotted name below the package, the indexes left out."""
    files = [file for file in (SOURCE / room).rglob("*.py") if file.stem != "__init__"]
    return {".".join(file.relative_to(SOURCE).with_suffix("").parts): file for file in files}


def index_problems(folder):
    """Return the entries of a folder that its index does not name, or names and are not there."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    named = {line.split(":")[0] for line in text.splitlines() if ": " in line and line[0].islower()}
    there = {p.stem for p in folder.iterdir() if p.stem != "__init__" and p.name != "__pycache__"}
    return named ^ there


@pytest.mark.parametrize("folder", ["runs", "runs/data", "runs/folder", "runs/stream"])
def test_the_index_of_a_room_names_every_file(folder):
    assert not index_problems(SOURCE / folder)


@pytest.mark.parametrize("room", ["runs", "cli"])
def test_no_private_name_crosses_files(room):
    found = [
        f"{name}: {alias.name}"
        for name, file in modules(room).items()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("recurra")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not found


def circles(graph):
    """Return the names from which an import leads back to themselves."""

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    return [name for name in graph if name in reached(name)]


@pytest.mark.parametrize("room", ["runs", "cli"])
def test_no_import_circle(room):
    files = modules(room)
    graph = {}
    for name, file in files.items():
        imported = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[name] = {module.removeprefix("recurra.") for module in imported} & set(files)
    assert any(graph.values())
    assert not circles(graph)


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_no_file_outgrows_its_reader(file):
    assert len(file.read_text().splitlines()) <= 600


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("readers/table.py", "from recurra.features.chain import Chain", "readers must not import features"),
        ("nn/lstm.py", "def f():\n    import recurra.batches", "nn must not import batches"),
        ("features/scaling.py", "from recurra import kernels", "features must not import kernels"),
        ("serving/model.py", "def f():\n    import torch", "serving must not import torch"),
        ("training/loop.py", "import recurra.evaluation.metrics", "training must not import evaluation"),
        ("inspection/leaks.py", "import recurra.serving.model", "inspection must not import serving"),
        ("inspection/leaks.py", "import torch", "inspection must not import torch"),
        ("evaluation/report.py", "import recurra.inspection", "evaluation must not import inspection"),
        ("store.py", "from recurra.readers import table", "store must not import readers"),
        ("batches/splits.py", "importlib.import_module('recurra.nn')", "batches must not import nn"),
        ("runs/train.py", "def f():\n    from recurra.cli import screen", "runs must not import cli"),
        ("runs/data/split.py", "import click", "runs must not import click"),
        ("estimators/loading.py", "from recurra.runs import predict", "estimators must not import runs"),
    ],
)
def test_the_rule_itself_is_seen_to_fail(path, text, complaint):
    (found,) = violations(Path(path), text)
    assert complaint in found
