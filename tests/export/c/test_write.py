"""The C of random networks, compiled with every warning an error and run under sanitizers, against recurra's answers."""

import dataclasses
import shutil
import subprocess

import numpy as np
import pytest

from export_models import any_length, exportable_model, is_settled
from models import random_model
from recurra.errors import RecurraError, UsageError
from recurra.export.c import vectors, write
from recurra.export.c.costs import costs
from recurra.export.c.layout import Layout, Weights, check_c, check_name
from recurra.export.c.write import files_of, write_c
from recurra.export.model import agreement
from recurra.export.model.agreement import TOLERANCE, random_rows
from recurra.export.model.boundary import cut
from recurra.export.model.rounding import in_int8, is_rounded
from recurra.kernels.cell import VARIANTS

KINDS = (
    "plain", "convolutions", "patches", "convolution", "embedding", "generation", "quantiles", "numbers per step", "members",
    "gaps",
)  # fmt: skip
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# A processor of 32 bits with Thumb and a unit for float alone, as the larger microcontrollers have.
ARM = ("arm-linux-gnueabihf-gcc", "-std=c99", "-static", "-mthumb")
EMULATOR = ("qemu-arm",)

needs_compilers = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("g++") and shutil.which("nm")),
    reason="there is no gcc, g++ or nm to compile and look at the C that is written",
)


def accepted(rng, kind):
    """Return what is exported of a random model that C can hold."""
    while True:
        exported = cut(exportable_model(rng, kind))
        try:
            check_c(exported)
        except UsageError:  # an answer per step from windows
            continue
        return exported


def written(folder, rng, kind, *, weights_file=False, int8=False):
    """Write the C of a random network and of sequences with lengths from 0 on; return its layout."""
    exported = accepted(rng, kind)
    while int8 and exported.inside.manifest["network"]["cell"] not in ("lstm", "gru"):
        exported = accepted(rng, kind)
    exported = cut(in_int8(exported.model)) if int8 else exported
    window = exported.inside.features.alignment.window
    rows = random_rows(exported, rng, [0, window, *(window + rng.integers(0, 30, 4)).tolist()])
    if exported.inside.manifest["network"]["cell"].endswith("_norm") and not is_settled(exported, rows):
        return written(folder, rng, kind, weights_file=weights_file, int8=int8)
    layout = Layout(any_length(exported), "net", max(len(own) for own in rows), int8)
    weights = Weights(layout)
    for name, data in files_of(
        layout, weights, costs(layout, weights), rows, weights_file=weights_file
    ).items():
        (folder / name).write_bytes(data)
    return layout


def compiled(folder, compiler, *flags, runner=()):
    """Compile the test program and run it, by an emulator where one is given; return the largest difference."""
    built = subprocess.run(
        [*compiler, *STRICT, *flags, "net.c", "test_net.c", "-lm", "-o", "program"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([*runner, "./program"], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    return float(ran.stdout.split()[2])


def check(folder, seed, kind, *, everything):
    rng = np.random.default_rng(seed)
    written(folder, rng, kind, weights_file=seed % 4 == 3)
    largest = compiled(folder, ("gcc", "-std=c99"), *SANITIZED)
    if everything or seed % 2:
        compiled(folder, ("g++",), "-O2")
    if everything or seed < len(KINDS):
        check_symbols(folder)
    return largest


def check_symbols(folder):
    """Check that nothing is taken from the heap, nothing outside changes, and nothing is needed but math.h."""
    where = [
        "-fno-pic",
        "-fno-pie",
        "-O2",
        "-c",
        "net.c",
    ]  # else tables of strings are written once, by the loader
    subprocess.run(["gcc", "-std=c99", *where], cwd=folder, check=True)
    symbols = subprocess.run(["nm", "net.o"], cwd=folder, capture_output=True, text=True, check=True).stdout
    kinds = {line.split()[-1]: line.split()[-2] for line in symbols.splitlines()}
    assert not {"malloc", "calloc", "realloc", "free"} & set(kinds)
    assert not [name for name, kind in kinds.items() if kind in "bBdDC"], "globals that change"
    needed = {name for name, kind in kinds.items() if kind == "U"}
    assert needed <= {"expf", "sqrtf", "memcpy", "memset", "memmove"}  # the last three are the compiler's own


@needs_compilers
@pytest.mark.parametrize("seed", range(20))
def test_the_compiled_c_answers_as_recurra(seed, tmp_path):
    check(tmp_path, seed, KINDS[seed % len(KINDS)], everything=False)


@needs_compilers
@pytest.mark.slow
def test_the_compiled_c_answers_as_recurra_on_200_networks(tmp_path, capsys):
    found = []
    for seed in range(1000, 1200):
        (tmp_path / str(seed)).mkdir()
        found.append(check(tmp_path / str(seed), seed, KINDS[seed % len(KINDS)], everything=True))
    with capsys.disabled():
        print(f"\n{len(found)} networks, largest difference {max(found):.1e}")


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which(ARM[0]) and shutil.which(EMULATOR[0])),
    reason="there is no compiler for ARM and emulator: apt-get install gcc-arm-linux-gnueabihf qemu-user",
)
def test_on_arm_20_networks_answer_as_recurra(tmp_path, capsys):
    found = []
    for seed in range(2000, 2020):
        (tmp_path / str(seed)).mkdir()
        written(
            tmp_path / str(seed), np.random.default_rng(seed), KINDS[seed % len(KINDS)], int8=seed % 5 == 4
        )
        found.append(compiled(tmp_path / str(seed), ARM, "-O2", runner=EMULATOR))
    with capsys.disabled():
        print(f"\n{len(found)} networks on ARM, largest difference {max(found):.1e}")


@needs_compilers
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_eight_bits_answer_as_the_light_runtime_with_them(kind, tmp_path):
    layout = written(tmp_path, np.random.default_rng(7), kind, int8=True)
    compiled(tmp_path, ("gcc", "-std=c99"), *SANITIZED)
    check_symbols(tmp_path)
    plain = dataclasses.replace(layout, int8=False)
    matrices = sum(w.size for own in layout.exported.inside.members for n, w in own.items() if is_rounded(n))
    sizes = [costs(one, Weights(one)).flash_bytes for one in (plain, layout)]
    factors = sum(len(w) for own in layout.exported.inside.members for n, w in own.items() if is_rounded(n))
    assert sizes[0] - sizes[1] == 3 * matrices - 4 * factors


@needs_compilers
@pytest.mark.parametrize("what", ["weights", "answers"])
def test_the_program_finds_what_is_wrong(what, tmp_path):
    written(tmp_path, np.random.default_rng(1), "quantiles")
    file = tmp_path / ("net.c" if what == "weights" else "test_vectors.h")
    begin = "all_weights[] = {\n    " if what == "weights" else "test_answers[] = {\n    "
    text = file.read_text()
    at = text.index(begin) + len(begin)
    file.write_text(text[:at] + "9.5" + ("f" if what == "weights" else "") + text[text.index(",", at) :])
    subprocess.run(
        ["gcc", "-std=c99", "net.c", "test_net.c", "-lm", "-o", "program"], cwd=tmp_path, check=True
    )
    assert subprocess.run(["./program"], cwd=tmp_path, capture_output=True, check=False).returncode == 1


@needs_compilers
def test_ram_is_what_the_compiler_says(tmp_path):
    for seed, kind in enumerate(KINDS):
        layout = written(tmp_path, np.random.default_rng(seed), kind)
        (tmp_path / "size.c").write_text(
            '#include <stdio.h>\n#include "net.h"\nint main(void) { printf("%zu", sizeof(net_state)); return 0; }\n'
        )
        subprocess.run(["gcc", "size.c", "-o", "size"], cwd=tmp_path, check=True)
        size = int(
            subprocess.run(["./size"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        )
        told = costs(layout, Weights(layout)).state_bytes
        # here a pointer and a count take 8 bytes, and are aligned; on 32 bits 4
        assert told <= size <= told + 8 + 16 * len(layout.exported.inside.members), (kind, told, size)


UNANSWERED = """#include <math.h>
#include <stdio.h>
#include "net.h"
static net_state state;
static float out[16 * NET_OUTPUTS];
static const float rows[] = {ROWS};
int main(void)
{
    int j;
    net_init(&state);
    net_run(&state, rows, 16, out);
    for (j = 0; j < ANSWERS * NET_OUTPUTS; ++j)
        printf("%g ", out[j]);
    LABEL
    return 0;
}
"""


@needs_compilers
@pytest.mark.parametrize("kind", ["plain", "convolutions", "patches", "numbers per step", "members", "gaps"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_has_no_answer_is_answered_by_nan(kind, value, tmp_path):
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        layout = written(folder, np.random.default_rng(seed), kind)
        rows = np.random.default_rng(0).normal(size=(16, layout.channels)).astype(np.float32)
        rows[3, -1] = value
        per_step = layout.exported.per_step
        text = UNANSWERED.replace("ROWS", ", ".join({"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}.get(
            str(one), f"{one:.9g}") for one in rows.reshape(-1).tolist()))  # fmt: skip
        chosen = not layout.targets and not per_step
        text = text.replace("LABEL", 'printf("label %d", net_label(out));' if chosen else "")
        (folder / "main.c").write_text(text.replace("ANSWERS", "16" if per_step else "1"))
        command = ["gcc", "-std=c99", "-O2", "net.c", "main.c", "-lm", "-o", "main"]
        subprocess.run(command, cwd=folder, check=True)
        said = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=True).stdout
        numbers, _, label = said.partition("label")
        # of whole sequences all of it, row by row what comes after
        found = np.array(numbers.split(), np.float64)[0 if layout.whole else -layout.answers :]
        answered = np.isnan(value) and layout.exported.takes_missing
        assert (np.isfinite(found) if answered else np.isnan(found)).all(), (seed, kind, found)
        assert not chosen or (int(label) == -1) != answered


@needs_compilers
def test_a_sequence_longer_than_there_is_room_for_is_refused(tmp_path):
    model = random_model(np.random.default_rng(0), task="classification", bidirectional=True)
    folder = write_c(model, tmp_path / "net", longest=60)
    assert folder.longest == 60
    (tmp_path / "net" / "main.c").write_text(
        '#include "net.h"\nstatic net_state s; static float x[61 * NET_CHANNELS], out[NET_OUTPUTS];\n'
        "int main(void) { net_init(&s); return net_run(&s, x, 61, out) == -1 && net_run(&s, x, 60, out) == 60 ? 0 : 1; }\n"
    )
    subprocess.run(
        ["gcc", "-std=c99", *SANITIZED, "net.c", "main.c", "-lm", "-o", "m"], cwd=tmp_path / "net", check=True
    )
    assert subprocess.run([tmp_path / "net" / "m"], check=False).returncode == 0


def test_names_and_strings_that_c_does_not_take(tmp_path):
    assert check_name("2 Kraft-Sensor") == "net_2_kraft_sensor"
    with pytest.raises(UsageError, match="must have a letter"):
        check_name("---")
    model = random_model(np.random.default_rng(0), task="classification", output_size=2, bidirectional=False)
    target = {"classes": ['a "quoted" \\ one*/', "größer??/"], "dtype": "<U20"}
    model = type(model)({**model.manifest, "target": target}, model.features, model.weights)
    write_c(model, tmp_path / "net")
    text = (tmp_path / "net" / "net.c").read_text()
    assert text.isascii()
    if shutil.which("gcc"):
        (tmp_path / "net" / "main.c").write_text(
            '#include <stdio.h>\n#include "net.h"\n'
            'int main(void) { printf("%s\\n%s", net_classes[0], net_classes[1]); return 0; }\n'
        )
        subprocess.run(
            ["gcc", "-std=c99", "net.c", "main.c", "-lm", "-o", "m"], cwd=tmp_path / "net", check=True
        )
        out = subprocess.run([tmp_path / "net" / "m"], capture_output=True, text=True, check=True).stdout
        assert out.split("\n") == target["classes"]


def test_without_a_compiler_it_is_written_and_says_nothing_of_a_check(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "COMPILERS", ())
    folder = write_c(random_model(np.random.default_rng(0)), tmp_path / "net")
    assert folder.agreement is None
    assert sorted(folder.files) == sorted(p.name for p in folder.path.iterdir())


@needs_compilers
def test_c_that_answers_otherwise_is_not_kept(tmp_path, monkeypatch):
    right = vectors.answers
    monkeypatch.setattr(vectors, "answers", lambda layout, rows: right(layout, rows) + 0.01)
    with pytest.raises(
        RecurraError, match=r"differs from recurra by 0\.0\d+, more than 1e-05, so it was not kept"
    ):
        write_c(random_model(np.random.default_rng(0)), tmp_path / "net")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wide", "train with wide=False, or export to ONNX"),
        ("chain", "train with crf=False, or export to ONNX"),
        ("text", "reads words and letters; export to ONNX"),
        ("images", "reads images; export to ONNX"),
    ],
)
def test_what_c_cannot_hold(kind, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        write_c(exportable_model(np.random.default_rng(0), kind), tmp_path / "net")
    assert not list(tmp_path.iterdir())


@needs_compilers
@pytest.mark.parametrize("cell", VARIANTS)
def test_cells_beyond_those_of_torch(cell, tmp_path):
    rng = np.random.default_rng(4)
    model = random_model(rng, cell=cell, num_layers=2, bidirectional=cell in ("lstm_norm", "gru_before"))
    assert write_c(model, tmp_path / "net").agreement.largest <= TOLERANCE


def test_a_place_that_is_a_file(tmp_path):
    (tmp_path / "net").write_text("")
    with pytest.raises(UsageError, match="C goes into a folder"):
        write_c(random_model(np.random.default_rng(0)), tmp_path / "net")


@pytest.mark.parametrize("longest", [0, -1, 2.5])
def test_longest_that_is_no_length(longest, tmp_path):
    with pytest.raises(UsageError, match="export: longest must be"):
        write_c(random_model(np.random.default_rng(0)), tmp_path / "net", longest=longest)


@needs_compilers
@pytest.mark.parametrize("kind", ["plain", "numbers per step", "quantiles", "members"])
def test_how_far_eight_bits_move_an_answer_is_said(kind, tmp_path):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        exported = accepted(rng, kind)
        while exported.inside.manifest["network"]["cell"] not in ("lstm", "gru"):
            exported = accepted(rng, kind)
        model, rounded = exported.model, in_int8(exported.model)
        sequences = random_rows(exported, rng, [5, 9, 30])
        folder = write_c(model, tmp_path / str(seed), int8=True, sequences=sequences, longest=40)
        name = "value" if model.task == "regression" else "probabilities"
        right, found = (agreement.expected(cut(one), sequences)[name] for one in (model, rounded))
        moved = agreement.difference(exported, name, right, found)
        said = folder.agreement.rounding
        assert said >= moved > folder.agreement.largest
        assert f"These weights move an answer by up to {said:.1e}." in str(folder.agreement)
        assert (
            f"moves an answer by up to {said:.1e} from recurra's" in (folder.path / "README.md").read_text()
        )
    assert write_c(model, tmp_path / "float", sequences=sequences, longest=40).agreement.rounding is None
