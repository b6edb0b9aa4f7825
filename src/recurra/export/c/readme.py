"""The page beside a model's C: what is in the folder, how to call it, how to build it."""

from recurra.export.c.costs import Costs
from recurra.export.c.layout import Layout

PAGE = """# @

A @@ESTIMATOR that recurra trained, as C99: no memory from the heap, no recursion, no global that changes, no library but
the functions of `math.h`. Several sequences go on side by side, each with a state of its own.@@INT8

| | |
| --- | --- |
| RAM of a sequence (`@_state`) | @@STATE bytes |
| RAM on the stack, about | @@STACK bytes |
| flash of weights and tables, without code | @@FLASH bytes |
| multiplications of a row | @@MULTIPLICATIONS |

## Files
- `@.h`, `@.c`: the network@@WEIGHTS
- `test_vectors.h`, `test_@.c`: sequences with recurra's answers, and a program that compares

## Test it here
```
cc -std=c99 -O2 @.c test_@.c -lm -o test_@ && ./test_@
```
It prints the largest difference and returns a number other than 0 where it is above 1e-5.

## Call it
```c
#include "@.h"

static @_state state;
float out[@@NAME_OUTPUTS];

@@CALL
```
`row` has @@CHANNELS numbers of type float, in the units of the training data@@NAMES. Scaling is done inside@@MISSING.
An answer is @@ANSWER.

## On a microcontroller
Add `@.c` to the project and compile it with the options of the rest, `-O3` where flash allows, and for a Cortex-M4F or
M7 `-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard` or the like. Leave `-ffast-math` out: missing values are NaN. Scaling
computes in double, which a processor without double precision emulates: it is @@CHANNELS subtractions and divisions a row.
To test on the device, add `test_@.c`, and send what it prints to a serial port.
"""

MISSING = ", a missing value is NaN.\nInfinity has no answer: NaN from then on"
NO_MISSING = ".\nNaN and infinity have no answer: NaN from then on"
INT8 = """
The matrices of the recurrence and of the head have eight bits a number, everything else is float@@MOVED."""
MOVED = (
    "; that moves an answer by up to {:.1e} from recurra's\n(of numbers, as a share of the largest of 1, the number and the "
    "spread of the training). The test vectors hold the answers\nof these weights"
)


def readme(layout: Layout, cost: Costs, *, weights_file: bool, rounding: float | None = None) -> str:
    """Return README.md; ``rounding`` is how far weights of eight bits move an answer, where that is known."""
    model, name = layout.exported.model, layout.name
    given = ", weights" if weights_file else ""
    if layout.whole:
        call = (
            f"{name}_init(&state{given});\n{name}_run(&state, rows, length, out); /* up to {layout.longest} rows; another\n"
            f"    -D{name.upper()}_LONGEST=N when compiling makes room for more */"
        )
    else:
        call = f"{name}_init(&state{given});\nwhile (next(row))\n    {name}_step(&state, row, out); /* after every row */"
    if layout.exported.per_step and layout.whole:
        call = call.replace("out)", "outs)") + f"\n/* outs: length * {name.upper()}_OUTPUTS numbers */"
    if not layout.targets:
        count = layout.answers
        answer = f"the {count} probabilities of the classes; `{name}_label(out)` is the highest, -1 of NaN"
    else:
        answer = "numbers in the units of y" + (", behind them their quantiles" if layout.quantiles else "")
    names = layout.exported.channel_names
    words = {
        "@@ESTIMATOR": str(model.manifest["estimator"]),
        "@@STATE": f"{cost.state_bytes:,}",
        "@@STACK": f"{cost.stack_bytes:,}",
        "@@FLASH": f"{cost.flash_bytes:,}",
        "@@MULTIPLICATIONS": f"{cost.multiplications:,}",
        "@@WEIGHTS": f"\n- `{name}.bin`: its weights, float32, to be read by the caller"
        if weights_file
        else "",
        "@@INT8": INT8.replace("@@MOVED", "" if rounding is None else MOVED.format(rounding))
        if layout.int8
        else "",
        "@@CALL": call,
        "@@NAME": name.upper(),
        "@@CHANNELS": str(layout.channels),
        "@@NAMES": f": {', '.join(names)}" if names else "",
        "@@MISSING": MISSING if layout.exported.takes_missing else NO_MISSING,
        "@@ANSWER": answer,
    }
    text = PAGE
    for word in sorted(words, key=len, reverse=True):  # one may begin with another
        text = text.replace(word, words[word])
    return text.replace("@", name)
