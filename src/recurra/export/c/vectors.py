"""Test vectors of a model's C: sequences with recurra's answers, and the program that compares."""

from collections.abc import Sequence

import numpy as np

from recurra.export.c.code import double, numbers
from recurra.export.c.layout import Layout
from recurra.export.model.agreement import TOLERANCE, expected

# Sequences of the test, and rows of all of them: what a microcontroller can still hold.
MOST_SEQUENCES, MOST_ROWS = 6, 600


def chosen(layout: Layout, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return some of the sequences, the shortest and the longest that fit among them."""
    fitting = sorted((own for own in rows if not layout.whole or len(own) <= layout.longest), key=len)
    places = np.unique(np.linspace(0, len(fitting) - 1, MOST_SEQUENCES).astype(int))
    found: list[np.ndarray] = []
    for place in places:
        if not found or sum(map(len, found)) + len(fitting[place]) <= MOST_ROWS:
            found.append(fitting[place])
    return found


def answers(layout: Layout, rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return what the C must answer: shape (answers, numbers of an answer)."""
    found = expected(layout.exported, rows)
    if not layout.targets:
        parts = found["probabilities"]
    elif layout.quantiles:
        ends = (-1, layout.targets * len(layout.quantiles))
        parts = [
            np.concatenate([v.reshape(-1, layout.targets), q.reshape(ends)], axis=1)
            for v, q in zip(found["value"], found["quantiles"], strict=True)
        ]
    else:
        parts = found["value"]
    return np.concatenate([np.asarray(own, np.float64).reshape(-1, layout.answers) for own in parts])


def scales(layout: Layout) -> np.ndarray:
    """Return by what the difference of each number of an answer is divided at least: float64 of shape (numbers,)."""
    if not layout.targets:
        return np.ones(layout.answers)
    spread = np.maximum(np.asarray(layout.exported.inside.manifest["target"]["spread"], np.float64), 1.0)
    return np.concatenate([spread, np.repeat(spread, len(layout.quantiles))])


def vectors(layout: Layout, rows: Sequence[np.ndarray]) -> str:
    """Return test_vectors.h."""
    name = layout.name
    flat = np.concatenate(rows).reshape(-1)
    right = answers(layout, rows).reshape(-1)
    lengths = ", ".join(str(len(own)) for own in rows)
    most = max(len(own) for own in rows)
    return (
        "/* Sequences, and what recurra answers to them. */\n"
        f"#define {name.upper()}_TESTS {len(rows)}\n#define {name.upper()}_LONGEST_TEST {most}\n\n"
        f"static const int test_lengths[] = {{{lengths}}};\n\n"
        f"static const float test_rows[] = {{\n{numbers(flat)}\n}};\n\n"
        f"static const double test_answers[] = {{\n{numbers(right, double)}\n}};\n\n"
        "/* A difference is divided by the largest of this and the number itself. */\n"
        f"static const double test_scales[] = {{\n{numbers(scales(layout), double)}\n}};\n"
    )


PROGRAM = """/* Compares the answers of @.c with recurra's; returns 0 where they agree to within TOLERANCE. */
#include <math.h>
#include <stdio.h>

#include "@.h"
#include "test_vectors.h"

static @_state state;
static float out[COUNT * @@_OUTPUTS];
LOADED
static double largest = 0.0;

static void compare(const float *found, const double *right)
{
    int j;
    for (j = 0; j < @@_OUTPUTS; ++j) {
        const double size = fabs(right[j]) > test_scales[j] ? fabs(right[j]) : test_scales[j];
        const double away = fabs((double)found[j] - right[j]) / size;
        if (largest == largest && !(away <= largest)) /* also where it is no number, from then on */
            largest = away;
    }
}

int main(void)
{
    const float *rows = test_rows;
    const double *right = test_answers;
    int test;
LOAD
    for (test = 0; test < @@_TESTS; ++test) {
        const int length = test_lengths[test];
        int t, answers = PER_STEP ? length : 1;
        INIT
        if (@_run(&state, rows, length, out) < 0)
            return 2;
        for (t = 0; t < answers; ++t)
            compare(out + t * @@_OUTPUTS, right + t * @@_OUTPUTS);
STEPS
        rows += length * @@_CHANNELS;
        right += answers * @@_OUTPUTS;
    }
    printf("largest difference %.2e in %d sequences\\n", largest, @@_TESTS);
    return largest <= TOLERANCE ? 0 : 1;
}
"""

STEPS = """        INIT
        for (t = 0; t < length; ++t)
            if (@_step(&state, rows + t * @@_CHANNELS, out) && PER_STEP)
                compare(out, right + t * @@_OUTPUTS);
        if (!PER_STEP)
            compare(out, right);"""

LOAD = """    {
        FILE *file = fopen("@.bin", "rb");
        if (!file || fread(weights, sizeof weights[0], WEIGHTS, file) != WEIGHTS)
            return 3;
        fclose(file);
    }"""


def program(layout: Layout, *, weights_file: int) -> str:
    """Return test_NAME.c; ``weights_file`` is how many weights lie in a file, 0 where they lie in the source."""
    per_step = layout.exported.per_step
    text = PROGRAM.replace("COUNT", "@@_LONGEST_TEST" if per_step else "1")
    text = text.replace("STEPS\n", "" if layout.whole else f"{STEPS}\n")
    text = text.replace("LOADED\n", "static float weights[WEIGHTS];\n" if weights_file else "")
    text = text.replace("LOAD\n", f"{LOAD}\n" if weights_file else "")
    text = text.replace("INIT", "@_init(&state, weights);" if weights_file else "@_init(&state);")
    text = text.replace("TOLERANCE ?", f"{TOLERANCE!r} ?").replace("PER_STEP", str(int(per_step)))
    text = text.replace("TOLERANCE.", f"{TOLERANCE!r}.").replace("WEIGHTS", str(weights_file))
    return text.replace("@@", layout.name.upper()).replace("@", layout.name)
