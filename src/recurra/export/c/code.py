"""The C of a model: header and source, put together from `recurra.export.c.fragments`."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import recurra
from recurra.export.c import cells, fragments
from recurra.export.c.layout import Layout, Weights
from recurra.kernels.cell import CELLS, EPSILON


def number(value: float) -> str:
    """Return a float32 number as C writes it, every bit of it."""
    if np.isnan(value):
        return "NAN"
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def numbers(values: Iterable[Any], each: Any = number) -> str:
    """Return numbers as the lines between the braces of an array."""
    texts = [each(value) for value in values]
    return ",\n".join("    " + ", ".join(texts[at : at + 8]) for at in range(0, len(texts), 8))


def double(value: float) -> str:
    """Return a double as C writes it."""
    text = repr(float(value))
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def string(text: Any) -> str:
    """Return a string as C writes it, beyond ASCII as bytes of UTF-8."""
    plain = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in str(text).encode()
    )
    return f'"{plain}"'


def _title(layout: Layout) -> str:
    model = layout.exported.model
    whose = f"a {model.manifest['estimator']} (model {model.fingerprint})"
    return f"/* Written by recurra {recurra.__version__} from {whose}. */\n"


def _pool_fields(layout: Layout) -> list[str]:
    fields = {"last": "last", "mean": "total", "max": "highest", "attention": "weighted"}
    found = [f"float {fields[name]}[{layout.features}];" for name in layout.poolings]
    return [*found, *(["float mass, top;"] if "attention" in layout.poolings else []), "unsigned long count;"]


def _state_fields(layout: Layout) -> list[str]:
    network, members = layout.network, len(layout.exported.inside.members)
    states = members * network["num_layers"] * network["hidden_size"]
    found = [
        "const float *weights;",
        "float no_answer; /* NaN once there is none: infinity, or NaN that is no missing value */",
    ]
    if layout.masks or layout.gaps is not None:
        found.append(f"float filled[{layout.channels}]; /* stands in for missing values */")
    if layout.whole:
        longest = f"{layout.name.upper()}_LONGEST"
        found += [f"float rows[{longest} * {layout.row}];"]
        return [*found, *(f"float {buffer}[{longest} * {layout.widest}];" for buffer in "ab")]
    found.append(f"float h[{states}];")
    if layout.cell_state:
        found.append(f"float c[{states}];")
    if layout.windows is not None:
        found += [f"float window[{layout.windows.window * layout.row}];", "int held;"]
    if layout.remembered:
        found.append(f"float seen[{members * layout.remembered}];")
    if layout.poolings:
        found.append(f"{layout.name}_pool pool[{members}];")
    return found


def header(layout: Layout, *, weights_file: bool) -> str:
    """Return NAME.h."""
    name, upper = layout.name, layout.name.upper()
    model = layout.exported.inside
    lines = [
        _title(layout) + f"#ifndef {upper}_H\n#define {upper}_H\n",
        f"#define {upper}_CHANNELS {layout.channels} /* numbers of a row */",
        f"#define {upper}_OUTPUTS {layout.answers} /* numbers of an answer: {_meaning(layout)} */",
    ]
    if layout.whole:
        lines += [
            f"#ifndef {upper}_LONGEST\n#define {upper}_LONGEST {layout.longest} /* most rows of a sequence */\n#endif"
        ]
    lines.append('\n#ifdef __cplusplus\nextern "C" {\n#endif\n')
    if layout.poolings:
        lines.append("typedef struct {\n    " + "\n    ".join(_pool_fields(layout)) + f"\n}} {name}_pool;\n")
    lines.append(
        "/* Everything a sequence remembers; it belongs to the caller. */\n"
        "typedef struct {\n    " + "\n    ".join(_state_fields(layout)) + f"\n}} {name}_state;\n"
    )
    given = ", const float *weights" if weights_file else ""
    lines.append(f"/* Begin a sequence. */\nvoid {name}_init({name}_state *state{given});\n")
    if not layout.whole:
        says = "1 where out was written, 0 where the window is not full yet" if layout.windows else "1"
        lines.append(
            f"/* Take in a row; the answer for all rows so far goes to out. Returns {says}. */\n"
            f"int {name}_step({name}_state *state, const float *x, float *out);\n"
        )
    each = (
        "for every row (length * OUTPUTS numbers)"
        if layout.exported.per_step
        else "for all of them (OUTPUTS numbers)"
    )
    begun = "" if layout.whole else "\n   Begins anew; a step after it goes on from the end."
    limit = f" or {upper}_LONGEST is shorter" if layout.whole else ""
    lines.append(
        f"/* Take in a whole sequence, row after row; the answer {each} goes to out.{begun}\n"
        f"   Returns -1 where length is below 0{limit}. */\n"
        f"int {name}_run({name}_state *state, const float *x, int length, float *out);\n"
    )
    if model.task != "regression":
        lines.append(
            f"/* The class of the highest probability, -1 where there is no answer, and the names of the classes. */\n"
            f"int {name}_label(const float *out);"
        )
    if _named(layout):
        lines.append(f"extern const char *const {name}_classes[{upper}_OUTPUTS];")
    lines.append("\n#ifdef __cplusplus\n}\n#endif\n#endif\n")
    return "\n".join(lines)


def _named(layout: Layout) -> bool:
    return "classes" in layout.exported.inside.manifest["target"]


def _meaning(layout: Layout) -> str:
    if not layout.targets:
        return "probabilities"
    return "medians, then quantiles" if layout.quantiles else "numbers in the units of y"


def source(layout: Layout, weights: Weights, *, weights_file: bool) -> str:
    """Return NAME.c."""
    parts = [
        _title(layout) + f'#include "{layout.name}.h"\n\n#include <math.h>\n',
        _constants(layout),
        _tables(layout, weights, weights_file=weights_file),
        fragments.PRODUCT,
        fragments.COPY,
        *([fragments.ROUNDED] if layout.int8 else []),
    ]
    cell = layout.network["cell"]
    if cell != "rnn_relu" or "attention" in layout.poolings:
        parts.append(fragments.ACTIVATIONS)
    if CELLS[cell].blocks > 1:
        parts.append(fragments.SIGMOID)
    parts.append(fragments.CLEAR)
    if cell.endswith("_norm"):
        parts.append(cells.NORMALIZE.replace("EPSILON", number(EPSILON)))
    own = cells.step_of(cell)
    parts += [own.replace("ACTIVATION", _activation(cell)), _row(layout), *_fronts(layout)]
    if layout.poolings:
        parts.append(_pools(layout))
    parts += [_head(layout), _init(layout, weights_file=weights_file)]
    parts += [_whole(layout)] if layout.whole else _steps(layout, weights_file=weights_file)
    text = "".join(parts)
    if layout.int8:
        product = r"add_product\((\w+), (\w+), w \+ (layer|member)->(input|recurrent|head),"
        text = re.sub(product, r"add_rounded(\1, \2, rounded + \3->\4, w + \3->\4_factors,", text)
        if text.count("add_product(") == 1:  # nothing but the recurrence and the head multiplies
            text = text.replace(fragments.PRODUCT, "")
    return text.replace("@_CHANNELS", f"{layout.name.upper()}_CHANNELS").replace(
        "@_OUTPUTS", f"{layout.name.upper()}_OUTPUTS"
    ).replace("@_LONGEST", f"{layout.name.upper()}_LONGEST").replace("@", layout.name)  # fmt: skip


def _activation(cell: str) -> str:
    return "a[j] > 0.0f ? a[j] : 0.0f" if cell == "rnn_relu" else "tanh_of(a[j])"


def constants(layout: Layout) -> dict[str, int]:
    """Return the sizes that stand in capitals in the source."""
    network = layout.network
    found = {
        "MEMBERS": len(layout.exported.inside.members),
        "LAYERS": network["num_layers"],
        "DIRECTIONS": layout.directions,
        "HIDDEN": network["hidden_size"],
        "FEATURES": layout.features,
        "ROW": layout.row,
        "INPUT": layout.input,
        "WIDEST": layout.widest,
        "OUTPUTS": network["output_size"],
        "HEAD": layout.features * max(1, len(layout.poolings)),
    }
    front = network.get("front") or {}
    if layout.windows is not None:
        found |= {"WINDOW": layout.windows.window, "HOP": layout.windows.hop}
    if layout.front == "embedding":
        found["VOCABULARY"] = front["vocabulary"]
    if layout.front == "convolution":
        assert layout.windows is not None
        places = 1 + (layout.windows.window - front["kernel"]) // front["stride"]
        found |= {"KERNEL": front["kernel"], "STRIDE": front["stride"], "PLACES": places}
        found |= {"KERNEL_2": front["kernel_2"], "STRIDE_2": front["stride_2"]}
        found["PLACES_2"] = 1 + (places - front["kernel_2"]) // front["stride_2"]
    if layout.front == "convolutions":
        found["CONVOLUTIONS"] = len(layout.convolutions())
    if layout.remembered:
        found["SEEN"] = layout.remembered
    if layout.int8:
        found["MOST_UNITS"] = max(
            CELLS[network["cell"]].blocks * network["hidden_size"], network["output_size"]
        )
    if layout.quantiles:
        found |= {"TARGETS": layout.targets, "QUANTILES": len(layout.quantiles)}
    return {name: int(size) for name, size in found.items()}


def _constants(layout: Layout) -> str:
    return "\n" + "".join(f"#define {name} {size}\n" for name, size in constants(layout).items())


def _tables(layout: Layout, weights: Weights, *, weights_file: bool) -> str:
    places = [name for name in weights.members[0] if name not in ("layers", "kernels", "kernel_biases")]
    lists = [name for name in ("kernels", "kernel_biases") if name in weights.members[0]]
    fields = ["layer_t layers[LAYERS * DIRECTIONS];", *(f"int {name}[CONVOLUTIONS];" for name in lists)]
    fields += [f"int {name};" for name in places]
    behind = ", input_factors, recurrent_factors" if layout.int8 else ""
    behind += ", extra" if layout.has_extras else ""
    lines = [
        "\n/* Places of a layer's weights: numbers of its input, then where they begin. */",
        f"typedef struct {{\n    int width, input, recurrent, bias{behind};\n}} layer_t;\n",
        "typedef struct {\n    " + "\n    ".join(fields) + "\n} member_t;\n",
    ]
    if layout.front == "convolutions":
        lines.append(_convolution_table(layout))
    rows = []
    for member in weights.members:
        layers = ", ".join("{" + ", ".join(map(str, layer)) + "}" for layer in member["layers"])
        own = ["{" + layers + "}", *("{" + ", ".join(map(str, member[name])) + "}" for name in lists)]
        rows.append("    {" + ", ".join([*own, *(str(member[name]) for name in places)]) + "}")
    lines.append("static const member_t members[MEMBERS] = {\n" + ",\n".join(rows) + "\n};\n")
    if layout.scaling is not None:
        for name in ("center", "spread"):
            values = numbers(getattr(layout.scaling, name), double)
            lines.append(f"static const double {name}[@_CHANNELS] = {{\n{values}\n}};\n")
    if layout.gaps is not None:
        values = numbers(layout.gaps.center, double)
        lines.append(f"static const double gaps[@_CHANNELS] = {{\n{values}\n}};\n")
    target: Mapping[str, Any] = layout.exported.inside.manifest["target"]
    if layout.targets:
        lines += [
            f"static const double target_{name}[{layout.targets}] = {{\n{numbers(target[name], double)}\n}};\n"
            for name in ("center", "spread")
        ]
    if _named(layout):
        lines.append(
            f"const char *const @_classes[@_OUTPUTS] = {{\n{numbers(target['classes'], string)}\n}};\n"
        )
    if layout.int8:
        lines.append(f"static const signed char rounded[] = {{\n{numbers(weights.rounded, str)}\n}};\n")
    if not weights_file:
        lines.append(f"static const float all_weights[] = {{\n{numbers(weights.numbers)}\n}};\n")
    return "\n".join(lines)


def _convolution_table(layout: Layout) -> str:
    rows = []
    causal = layout.network["front"]["causal"]
    for layer in layout.convolutions():
        channels = layer.weight.shape[1] // layer.kernel
        before = layer.span if causal else layer.span // 2
        own = (channels, len(layer.bias), layer.kernel, layer.dilation, layer.span, before)
        rows.append("    {" + ", ".join(map(str, own)) + "}")
    return (
        "typedef struct {\n    int channels, filters, taps, dilation, span, before;\n} convolution_t;\n\n"
        "static const convolution_t convolutions[CONVOLUTIONS] = {\n" + ",\n".join(rows) + "\n};\n"
    )


def _row(layout: Layout) -> str:
    number = fragments.NUMBER if layout.gaps is None else fragments.GAPS
    scaled = fragments.SCALED if layout.scaling is not None else fragments.UNSCALED
    missing = layout.masks or layout.gaps is not None
    lines = [
        number,
        scaled.replace("ONE", "(double)one" if layout.gaps is None else "known").replace(
            "(float)(double)", ""
        ),
        fragments.ANSWERABLE_MISSING if missing else fragments.ANSWERABLE,
    ]
    if layout.masks:
        lines.append(fragments.FILLED)
    return fragments.ROW.replace("PREPARED", "\n".join(lines))


def _fronts(layout: Layout) -> list[str]:
    if layout.front == "convolutions":
        return [fragments.CONVOLUTIONS_WHOLE if layout.whole else fragments.CONVOLUTIONS_STEP]
    return [fragments.FRONTS[layout.front]]


def _pools(layout: Layout) -> str:
    taken = [fragments.POOLS[name] for name in layout.poolings if name in fragments.POOLS]
    last = "pool->last[j] = h[j];" if "last" in layout.poolings else ""
    text = fragments.TAKE.replace("        pool->last[j] = h[j];\n", f"        {last}\n" if last else "")
    pooled = [
        f"        y[{index} * FEATURES + j] = {fragments.POOLED[name]};"
        for index, name in enumerate(layout.poolings)
    ]
    text = text.replace("TAKEN\n", "".join(f"{line}\n" for line in taken))
    if not taken and not last:
        text = text.replace("    for (j = 0; j < FEATURES; ++j) {\n    }ATTEND", "ATTEND")
    text = text.replace("ATTEND", fragments.ATTEND if "attention" in layout.poolings else "")
    return text.replace("POOLED", "\n".join(pooled))


def _head(layout: Layout) -> str:
    if not layout.targets:
        return fragments.HEAD_CHOICE
    if not layout.quantiles:
        return fragments.HEAD_NUMBERS + fragments.FINISH_NUMBERS
    at = float(np.interp(0.5, layout.quantiles, np.arange(len(layout.quantiles))))
    low, high = int(np.floor(at)), int(np.ceil(at))
    share = np.float32(at - low)
    text = fragments.FINISH_QUANTILES.replace("LOW_SHARE", number(float(np.float32(1) - share)))
    text = text.replace("HIGH_SHARE", number(float(share)))
    return fragments.HEAD_NUMBERS + text.replace("LOW", str(low)).replace("HIGH", str(high))


def _init(layout: Layout, *, weights_file: bool) -> str:
    members = len(layout.exported.inside.members)
    lines = [f"state->weights = {'weights' if weights_file else 'all_weights'};"]
    lines += _forgotten(layout)
    if not layout.whole:
        parts = ["h", "c"] if layout.cell_state else ["h"]
        lines += [f"clear(state->{part}, MEMBERS * LAYERS * HIDDEN);" for part in parts]
        if layout.windows is not None:
            lines.append("state->held = 0;")
        if layout.remembered:
            lines.append("clear(state->seen, MEMBERS * SEEN);")
        if layout.poolings:
            lines.append(
                f"for (int m = 0; m < {members}; ++m)\n        {_cleared_pool(layout, 'state->pool[m]')}"
            )
    given = ", const float *weights" if weights_file else ""
    return "\nvoid @_init(@_state *state" + given + ")\n{\n    " + "\n    ".join(lines) + "\n}\n"


def _forgotten(layout: Layout) -> list[str]:
    """Return statements that make a state forget the rows that `prepare` saw."""
    lines = ["state->no_answer = 0.0f;"]
    if layout.masks or layout.gaps is not None:
        lines.append("clear(state->filled, @_CHANNELS);")
    if layout.gaps is not None:
        lines.append("add(NAN, state->filled, @_CHANNELS);")
    return lines


def _cleared_pool(layout: Layout, pool: str) -> str:
    """Return a statement that makes a pool forget; its other parts are written by the first row or not read."""
    lines = [f"{pool}.count = 0;"]
    for name, part in (("last", "last"), ("mean", "total"), ("max", "highest"), ("attention", "weighted")):
        if name in layout.poolings:
            lines.append(f"clear({pool}.{part}, FEATURES);")
    if "attention" in layout.poolings:
        lines.append(f"{pool}.mass = {pool}.top = 0.0f;")
    return "{ " + " ".join(lines) + " }"


def _steps(layout: Layout, *, weights_file: bool) -> list[str]:
    front = "front(w, &members[m], row, x);"
    if layout.front == "convolutions":
        front = "front(w, &members[m], state->seen + m * SEEN, row, x);"
    cell = ", state->c + (m * LAYERS + layer) * HIDDEN" if layout.cell_state else ""
    last = "state->h + (m * LAYERS + LAYERS - 1) * HIDDEN"
    text = fragments.LAYERS_STEP.replace("FRONT", front).replace(" CELL_STATE", cell)
    text = text.replace("state->h[m][layer - 1]", "state->h + (m * LAYERS + layer - 1) * HIDDEN")
    text = text.replace("state->h[m][layer]", "state->h + (m * LAYERS + layer) * HIDDEN")
    if layout.poolings:
        taken = f"    take(w, &members[m], &state->pool[m], {last});"
        read = (
            "        float seen[HEAD];\n        pooled(&state->pool[m], seen);\n"
            "        head(state->weights, &members[m], seen, out);"
        )
    else:
        taken, read = "", f"        head(state->weights, &members[m], {last}, out);"
    text = text.replace("TAKEN\n", f"{taken}\n" if taken else "").replace("READ", read)
    step = fragments.STEP if layout.windows is None else fragments.STEP_WINDOWS
    run = fragments.RUN_STEPS.replace(" AGAIN", ", state->weights" if weights_file else "")
    run = run.replace("    EMPTY\n", "" if layout.exported.per_step else "    answer(state, out);\n")
    return [text, step, run.replace("OUT", "out + t * @_OUTPUTS" if layout.exported.per_step else "out")]


def _whole(layout: Layout) -> str:
    lstm = layout.cell_state
    text = fragments.WHOLE.replace(" CELL_STATE", ", c" if lstm else "")
    text = text.replace(
        "    float h[HIDDEN];", "    float h[HIDDEN], c[HIDDEN];" if lstm else "    float h[HIDDEN];"
    )
    text = text.replace("    CELL_DECLARE\n", "    clear(c, HIDDEN);\n" if lstm else "")
    text = text.replace("FORGET", "\n    ".join(_forgotten(layout)))
    count = "length * @_OUTPUTS" if layout.exported.per_step else "@_OUTPUTS"
    text = text.replace("CLEAR_OUT", f"clear(out, {count});").replace("COUNT", count)
    rows = "" if layout.windows is None else "    rows = length < WINDOW ? 0 : 1 + (length - WINDOW) / HOP;\n"
    text = text.replace("    ROWS\n", rows)
    return text.replace("FRONT", _front_of_whole(layout)).replace("READ", _read_whole(layout)).replace(
        "FINISH",
        "for (t = 0; t < length; ++t)\n        finish(out + t * @_OUTPUTS);" if layout.exported.per_step else "finish(out);",
    )  # fmt: skip


def _front_of_whole(layout: Layout) -> str:
    if layout.front == "convolutions":
        return (
            "for (t = 0; t < rows; ++t)\n            copy(from + t * WIDEST, state->rows + t * ROW, ROW);\n"
            "        for (layer = 0; layer < CONVOLUTIONS; ++layer) {\n"
            "            convolve(w, member, layer, from, to, rows);\n"
            "            swap = from;\n            from = to;\n            to = swap;\n        }"
        )
    hop = "ROW" if layout.windows is None else "HOP * ROW"
    return f"for (t = 0; t < rows; ++t)\n            front(w, member, state->rows + t * {hop}, from + t * WIDEST);"


def _read_whole(layout: Layout) -> str:
    if layout.exported.per_step:
        return (
            "for (t = 0; t < rows; ++t)\n            head(w, member, from + t * WIDEST, out + t * @_OUTPUTS);"
        )
    lines = [
        "{",
        "    @_pool pool;",
        "    float seen[HEAD];",
        f"    {_cleared_pool(layout, 'pool')}",
        "    for (t = 0; t < rows; ++t)",
        "        take(w, member, &pool, from + t * WIDEST);",
    ]
    if "last" in layout.poolings and layout.directions == 2:
        lines.append("    if (rows > 0) /* backward ends at the first row */")
        lines.append("        copy(pool.last + HIDDEN, from + HIDDEN, HIDDEN);")
    lines += ["    pooled(&pool, seen);", "    head(w, member, seen, out);", "}"]
    return "\n        ".join(lines)
