"""The rules of ARCHITECTURE.md, read off every file, function-local imports included."""

import ast
import functools
import re
from collections import Counter
from pathlib import Path

import pytest

import recurra

SOURCE = Path(recurra.__file__).parent

GROUND = frozenset(
    {
        "errors",
        "checks",
        "options",
        "plain_arrays",
        "records",
        "array_summaries",
        "ragged",
        "store",
        "folder_lock",
        "interrupts",
        "live_line",
    }
)
DATA = ("readers", "datasets", "features", "batches")
ARITHMETIC = ("kernels", "nn")
SIBLINGS = ("training", "evaluation", "serving")
ESTIMATING = ("inputs", "recipes", "fitting", "insight")
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
    "inputs": {*DATA, *ARITHMETIC, *SIBLINGS},
    "recipes": {*DATA, *ARITHMETIC, *SIBLINGS, "inputs"},
    "fitting": {*DATA, *ARITHMETIC, *SIBLINGS, "inputs", "recipes"},
    "insight": {*DATA, *ARITHMETIC, *SIBLINGS, "inputs"},
    "export": {*DATA, "kernels", "serving"},
    "estimators": {*DATA, *ARITHMETIC, *SIBLINGS, *ESTIMATING, "export"},
    "importing": {*DATA, *ARITHMETIC, "serving", "estimators"},
    "runs": {*DATA, *ARITHMETIC, *SIBLINGS, INSPECTION, *ESTIMATING, "export", "estimators"},
    "studio": {*DATA, *ARITHMETIC, *SIBLINGS, INSPECTION, *ESTIMATING, "export", "estimators", "runs"},
    "cli": {
        *DATA,
        *ARITHMETIC,
        *SIBLINGS,
        INSPECTION,
        *ESTIMATING,
        "export",
        "estimators",
        "runs",
        "studio",
        "importing",
    },
}
TORCH_FREE = GROUND | {*DATA, "kernels", "serving", "export", INSPECTION}

# The one call upwards: Dataset.split is promised on the ground floor, its work is done in batches/.
EXCEPTIONS = {("records.py", "batches")}

# The front door loads everything by name when it is first asked for.
FRONT_DOOR = {"__init__.py", "__main__.py"}


@functools.cache  # several rules read each file
def parsed(text):
    return ast.parse(text)


def imports(text):
    """Yield (line, dotted module) of every import in a source text."""
    for node in ast.walk(parsed(text)):
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


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_no_file_outgrows_its_reader(file):
    assert len(file.read_text().splitlines()) <= 600


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_no_comment_hangs_at_a_bracket(file):
    """The formatter breaks a condition for a long comment behind it; the comment has a line of its own."""
    assert [line for line in file.read_text().splitlines() if re.match(r"\s*\):\s+# ", line)] == []


TEXTS = {str(file.relative_to(SOURCE)): file.read_text() for file in FILES}

MOST_FILES = 12
CATALOGUES = ("datasets", "cli/verbs")  # a file for each name a user types
MOST_LINES = 60  # of a function, beside its docstring
EQUAL_LINES = 12

# What does not keep a rule yet. An entry that is needed no longer fails the test: take it out.
LONG_FOLDERS: set = set()
CIRCLES: set = set()
PRIVATE_IMPORTS: set = set()
LONG_FUNCTIONS: set = set()
EQUAL_PLACES: set = set()
WITHOUT_INDEX: set = set()


def compare(found, known, advice):
    """Fail unless what was found, keys of exceptions to lines for the reader, is what is known."""
    more = [line for key, line in found.items() if key not in known]
    assert not more, "\n".join([advice, *more])
    gone = set(known) - set(found)
    assert not gone, f"kept by now; take it off the list of exceptions: {sorted(gone)}"


def module_of(path):
    parts = Path(path).with_suffix("").parts
    return ".".join(["recurra", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def seen_when_run(node):
    """Yield every node below but those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from seen_when_run(child)


def import_graph(texts):
    """Return path -> path imported -> line; of a name that is a module, the module, else where the name stands."""
    modules = {module_of(path): path for path in texts}
    graph = {path: {} for path in texts}
    for path, text in texts.items():
        for node in seen_when_run(parsed(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in modules else node.module for name in full]
            for name in names:
                target = modules.get(name)
                if target not in (None, path) and (path, Path(target).parts[0]) not in EXCEPTIONS:
                    graph[path].setdefault(target, node.lineno)
    return graph


def circles(graph):
    """Return the groups of nodes that reach each other, sorted."""
    reach = {}
    for start in graph:
        seen, left = set(), list(graph[start])
        while left:
            node = left.pop()
            if node not in seen:
                seen.add(node)
                left += graph.get(node, ())
        reach[start] = seen
    groups = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in graph if a in reach[a]}
    return sorted(groups)


def folder_graph(graph):
    """Return the same between folders; a folder's index is no part of it, since it names what users import."""
    folders = {}
    for path, targets in graph.items():
        for target in targets:
            here, there = str(Path(path).parent), str(Path(target).parent)
            if here != there and not FRONT_DOOR & {Path(path).name, Path(target).name}:
                folders.setdefault(here, {}).setdefault(there, path)
                folders.setdefault(there, {})
    return folders


def test_no_import_goes_round_in_a_circle():
    graph = import_graph(TEXTS)
    found = {}
    for group in circles(graph):
        arrows = [f"  {a}:{graph[a][b]} imports {b}" for a in group for b in graph[a] if b in group]
        found[group] = "\n".join(arrows)
    compare(found, CIRCLES, "modules import each other; what both need belongs into a third:")


def test_no_folder_imports_one_that_imports_it():
    graph = folder_graph(import_graph(TEXTS))
    found = {group: "\n".join(f"  {a}: {graph[a]}" for a in group) for group in circles(graph)}
    compare(found, set(), "folders import each other:")


def test_a_folder_has_a_dozen_files_at_most():
    count = Counter(str(Path(path).parent) for path in TEXTS if Path(path).name != "__init__.py")
    found = {f: f"  {f}: {n} files" for f, n in count.items() if n > MOST_FILES and f not in CATALOGUES}
    compare(found, LONG_FOLDERS, "sub-rooms by idea are due:")


def private_imports(path, text):
    """Yield (name, line) of every private name taken from another file of ours, by import or through its module."""
    tree = parsed(text)
    ours = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "recurra":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in MODULES:
                    ours[alias.asname or alias.name] = full
                if is_private(alias.name) and full != "recurra.kernels._native":
                    yield full, node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ours:
            name = f"{ours[node.value.id]}.{node.attr}"
            # a test may look at what is inside of the module it tests, and patch it
            if is_private(node.attr) and not path.startswith("tests/"):
                yield name, node.lineno


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


MODULES = {module_of(path) for path in TEXTS}
TESTS = Path(__file__).parent


def test_no_private_name_is_imported():
    texts = {**TEXTS, **{f"tests/{p.relative_to(TESTS)}": p.read_text() for p in TESTS.rglob("*.py")}}
    found = {
        f"{path}: {name}": f"  {path}:{line}: {name}"
        for path, text in texts.items()
        for name, line in private_imports(path, text)
    }
    compare(found, PRIVATE_IMPORTS, "a name others need has no underscore:")


def lines_of_code(function):
    """Return the lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


def test_functions_fit_on_a_screen():
    found = {}
    for path, text in TEXTS.items():
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of_code(node) > MOST_LINES:
                found[f"{path}: {node.name}"] = (
                    f"  {path}:{node.lineno}: {node.name} has {lines_of_code(node)} lines"
                )
    compare(found, LONG_FUNCTIONS, f"a function has at most {MOST_LINES} lines beside its docstring:")


def equal_places(texts):
    """Return (path, path) -> lines for the reader, of files that share so many lines but for indentation and blanks."""
    seen, found = {}, {}
    for path, text in texts.items():
        lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        for at in range(len(lines) - EQUAL_LINES + 1):
            window = tuple(line for _, line in lines[at : at + EQUAL_LINES])
            first, begun = seen.setdefault(window, (path, at))
            if first != path or at - begun >= EQUAL_LINES:
                found.setdefault(
                    (first, path), f"  {path}:{lines[at][0]} says what {first} has said: {window[0]}"
                )
    return found


def test_nothing_is_said_twice():
    compare(equal_places(TEXTS), EQUAL_PLACES, f"{EQUAL_LINES} equal lines; one place is enough:")


def missing_in_index(texts):
    """Return folder -> lines for the reader, of what its docstring does not name once each as "- `stem`: what it is"."""
    found = {}
    for folder in {Path(path).parent for path in texts} - {Path(".")}:
        inside = {Path(path).relative_to(folder) for path in texts if Path(path).is_relative_to(folder)}
        stems = [f"{p.parts[0]}/" if len(p.parts) > 1 else p.stem for p in inside if p.name != "__init__.py"]
        index = ast.get_docstring(parsed(texts.get(f"{folder}/__init__.py", ""))) or ""
        named = re.findall(r"^- `([\w/]+)`: \S", index, flags=re.MULTILINE)
        if sorted(named) != sorted(set(stems)):
            missing, odd = set(stems) - set(named), set(named) - set(stems)
            found[str(folder)] = f"  {folder}/__init__.py: missing {sorted(missing)}, not there {sorted(odd)}"
    return found


def test_the_index_of_a_room_is_complete():
    compare(
        missing_in_index(TEXTS), WITHOUT_INDEX, "a folder's docstring names each file and folder on a line:"
    )


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        (
            "readers/tables/table.py",
            "from recurra.features.chain import Chain",
            "readers must not import features",
        ),
        ("nn/cells/lstm.py", "def f():\n    import recurra.batches", "nn must not import batches"),
        ("features/rows/scaling.py", "from recurra import kernels", "features must not import kernels"),
        ("serving/models/fitted_model.py", "def f():\n    import torch", "serving must not import torch"),
        (
            "training/loop.py",
            "import recurra.evaluation.metrics.scores",
            "training must not import evaluation",
        ),
        (
            "inspection/leaks.py",
            "import recurra.serving.models.fitted_model",
            "inspection must not import serving",
        ),
        ("inspection/leaks.py", "import torch", "inspection must not import torch"),
        ("evaluation/report/page.py", "import recurra.inspection", "evaluation must not import inspection"),
        ("store.py", "from recurra.readers.tables import table", "store must not import readers"),
        ("batches/splits.py", "importlib.import_module('recurra.nn')", "batches must not import nn"),
        (
            "runs/train.py",
            "def f():\n    from recurra.cli import terminal_output",
            "runs must not import cli",
        ),
        ("runs/data/split.py", "import click", "runs must not import click"),
        ("estimators/loading.py", "from recurra.runs import predict", "estimators must not import runs"),
    ],
)
def test_the_rule_itself_is_seen_to_fail(path, text, complaint):
    (found,) = violations(Path(path), text)
    assert complaint in found


def test_circles_are_seen():
    texts = {
        "nn/a.py": "def f():\n    from recurra.nn import b",
        "nn/b.py": "from recurra.nn.c import x",
        "nn/c.py": "import recurra.nn.a",
        "nn/d.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import recurra.nn.e",
        "nn/e.py": "import recurra.nn.d",
    }
    assert circles(import_graph(texts)) == [("nn/a.py", "nn/b.py", "nn/c.py")]
    apart = {
        "nn/x/a.py": "import recurra.nn.y.a",
        "nn/y/a.py": "",
        "nn/y/b.py": "import recurra.nn.x.b",
        "nn/x/b.py": "",
    }
    assert circles(import_graph(apart)) == []
    assert circles(folder_graph(import_graph(apart))) == [("nn/x", "nn/y")]


def test_private_names_are_seen():
    taken = "from recurra.store import _read\nfrom recurra import store as kept\nkept._write()\nkept.__name__"
    assert list(private_imports("x.py", taken)) == [("recurra.store._read", 1), ("recurra.store._write", 3)]


def test_long_functions_are_counted_without_docstring():
    (function,) = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1').body
    assert lines_of_code(function) == 2


def test_equal_lines_are_seen():
    lines = [f"a{n} = {n}" for n in range(EQUAL_LINES)]
    indented = "if True:\n\n" + "\n".join("    " + line for line in lines)
    assert list(equal_places({"a.py": "\n".join(lines), "b.py": indented})) == [("a.py", "b.py")]
    assert not equal_places({"a.py": "\n".join(lines[1:]), "b.py": indented})
    assert not equal_places({"a.py": "x = 1\n" * (2 * EQUAL_LINES - 1)})


def test_a_hole_in_an_index_is_seen():
    texts = {
        "nn/__init__.py": '"""Rooms.\n\n- `a`: one\n- `c`: gone\n"""',
        "nn/a.py": "",
        "nn/b.py": "",
        "nn/d/e.py": "",
    }
    found = missing_in_index(texts)
    assert "missing ['b', 'd/'], not there ['c']" in found["nn"]
    assert "missing ['e']" in found["nn/d"]


# Where a table with an entry for every cell may stand; whatever else depends on the cell is a field of its description.
CELL_TABLES = {
    "kernels/cells/functions.py": "its numpy functions",
    "nn/layers/reference.py": "its torch reference",
    "nn/__init__.py": "what users import",
    "nn/cells/layers_by_name.py": "its layer",
    "nn/cells/accelerate.py": "torch's cells of one step, told apart from torch's layers",
    "options.py": "the choices of the option, on the ground floor",
    "evaluation/drawing/cells.py": "how it is drawn",
    "evaluation/explanations/step_jacobians.py": "formulas; differences elsewhere",
    "export/onnx/recurrence.py": "its operator in ONNX",
    "export/c/cells.py": "its C",
    "nn/imported/recurrent_nodes.py": "ONNX's names and layouts",
}
BASES = {"rnn", "lstm", "gru"}


def bases_in(nodes):
    """Return which plain cells are named among nodes: as a text, an attribute (`torch.nn.LSTM`) or a name (`LSTM`)."""
    named = set()
    for node in nodes:
        name = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", name)
        if isinstance(name, str):
            named.add(re.sub(r"(_.*|Cell)$", "", name).casefold())
    return named & BASES


def cell_tables(texts):
    """Return path -> lines for the reader, of what has an entry or a branch for every plain cell."""
    found = {}
    for path, text in texts.items():
        for node in ast.walk(parsed(text)):
            what = None
            if isinstance(node, ast.Dict) and bases_in(node.keys) == BASES:
                what = "a table"
            elif isinstance(node, ast.Tuple | ast.List | ast.Set) and bases_in(node.elts) == BASES:
                what = "a list"
            elif isinstance(node, ast.FunctionDef):
                compared = [c for n in ast.walk(node) if isinstance(n, ast.Compare) for c in n.comparators]
                inside = [e for c in compared for e in getattr(c, "elts", [c])]
                if len(bases_in(inside)) > 1:
                    what = f"{node.name} has branches"
            if what is not None:
                found.setdefault(path, f"  {path}:{node.lineno}: {what} by cell")
    return found


def test_what_depends_on_the_cell_stands_in_its_description():
    compare(
        cell_tables(TEXTS),
        CELL_TABLES,
        "make it a field of recurra.kernels.cell.Cell, so that a new cell is added in one place:",
    )


@pytest.mark.parametrize(
    "text",
    [
        'GATES = {"rnn": 1, "lstm": 4, "gru": 3}',
        'TORCHS = {"LSTM": a, "GRU": b, "RNN_TANH": c}',
        "OURS = {torch.nn.RNN: RNN, torch.nn.LSTM: LSTM, torch.nn.GRU: GRU}",
        'def f(cell):\n    if cell == "lstm":\n        return 4\n    return 3 if cell == "gru" else 1',
        'def f(cell):\n    return cell in ("lstm", "gru")',
    ],
)
def test_a_table_by_cell_is_seen(text):
    assert list(cell_tables({"x.py": text})) == ["x.py"]
    assert not cell_tables(
        {
            "x.py": text.replace("lstm", "mamba")
            .replace("LSTM", "S4")
            .replace("gru", "s5")
            .replace("GRU", "S5")
        }
    )
