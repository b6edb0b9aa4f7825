"""Change files of networks from elsewhere in every way a broken disk or a liar can, and import them.

Each must give an error of recurra's or a network, within seconds and with little memory; no code may run. Formats without a
checksum cannot tell a changed number: what was accepted is counted as the same network, one of other
numbers, or another one.
``python tests/attacks/mutated_networks.py --count 10000 --seed 0``.
"""

import argparse
import io
import json
import os
import pickle
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import mutated_files as bytewise
import numpy as np
import torch
import warm
from safetensors.torch import save as to_safetensors
from scipy.io import savemat

import recurra
from recurra.errors import RecurraError

LONGEST_SECONDS = 5.0  # of this process; the child that reads HDF5 has a limit of its own
MOST_MEGABYTES = 200  # what may be claimed below any ratio is 64, and is copied once as float32
BATCH = 50
KERAS = Path(__file__).parent.parent / "data" / "keras"


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return exec, (f"open({str(MARK)!r}, 'w')",)


MARK = Path(tempfile.gettempdir()) / f"recurra-executed-{os.getpid()}"


def originals(place):
    """Return format -> bytes of a good file."""
    import onnx

    sys.path[:0] = [str(Path(__file__).parent.parent)]
    from importing.test_matlab import network, write_5, write_73
    from importing.test_onnx import lstm_model

    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 4, bidirectional=True)
    out = io.BytesIO()
    torch.save({"state_dict": layer.state_dict(), "epoch": 1}, out)
    layers, _ = network(np.random.default_rng(0))
    write_5(place / "5.mat", layers)
    write_73(place / "73.mat", layers)
    savemat(place / "plain.mat", {"recurra_network": {"version": 1.0}})
    model = lstm_model()
    model.graph.node.append(onnx.helper.make_node("Relu", ["y"], ["z"]))
    model.graph.output[0].name = "z"
    return {
        "stacked.keras": (KERAS / "stacked.keras").read_bytes(),
        "embedding.keras": (KERAS / "embedding.keras").read_bytes(),
        "lstm.h5": (KERAS / "lstm.h5").read_bytes(),
        "cudnn_gru.h5": (KERAS / "cudnn_gru.h5").read_bytes(),
        "x.onnx": model.SerializeToString(),
        "x.pt": out.getvalue(),
        "5.mat": (place / "5.mat").read_bytes(),
        "73.mat": (place / "73.mat").read_bytes(),
        "x.safetensors": to_safetensors(dict(layer.state_dict())),
    }


# ---------------------------------------------------------------------------------------------- changes


def rezipped(data, change):
    """Return a zip file whose members went through ``change(name, bytes)``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


def inside_zip(data, rng):
    """Change one member and pack it again, its checksum right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        chosen = str(rng.choice(archive.namelist()))
    way = bytewise.pick(
        (bytewise.flip, bytewise.cut, bytewise.zeroed, bytewise.spliced, bytewise.lengthened), rng
    )
    return rezipped(data, lambda name, own: way(own, rng) if name == chosen and own else own)


def changed_json(text, rng):
    config = json.loads(text)
    *path, last = bytewise.pick(list(bytewise.leaves(config)), rng)
    node = config
    for key in path:
        node = node[key]
    if rng.random() < 0.2:
        del node[last]
    else:
        node[last] = bytewise.pick(
            (*bytewise.ODD, "LSTM", "GRU", "Lambda", "exec", float("nan"), 2**31, -(2**40)), rng
        )
    return json.dumps(config).encode()


def lying_config(data, rng):
    return rezipped(data, lambda name, own: changed_json(own, rng) if name == "config.json" else own)


def huge_zip(data, rng):
    size = bytewise.pick((10**5, 10**6, 7 * 10**7), rng) if rng.random() < 0.2 else 10**5
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        names = old.namelist()
        chosen = str(rng.choice(names))
        for name in names:
            new.writestr(name, bytes(size) if name == chosen else old.read(name))
    return out.getvalue()


def lying_h5(data, rng):
    """Change description, names, shapes or links in a file of HDF5."""
    import h5py

    block = io.BytesIO(data)
    with h5py.File(block, "r+") as file:
        datasets = []
        file.visititems(lambda name, node: datasets.append(name) if isinstance(node, h5py.Dataset) else None)
        chosen = str(rng.choice(datasets))
        kind = int(rng.integers(7))
        if kind == 0 and "model_config" in file.attrs:
            file.attrs["model_config"] = changed_json(file.attrs["model_config"], rng).decode()
        elif kind == 1:
            del file[chosen]
            file[chosen] = bytewise.pick(
                (np.zeros((0, 3)), np.float64(1), np.zeros((7, 5)), np.bytes_(b"x"), [np.nan]), rng
            )
        elif kind == 2:
            del file[chosen]
            shape = bytewise.pick(((2**40,), (2**20, 2**20), (2**24,)), rng)
            file.create_dataset(chosen, shape, "f4", chunks=True, compression="gzip")
        elif kind == 3:
            del file[chosen]
            file[chosen] = bytewise.pick(
                (h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/"), h5py.SoftLink(chosen)), rng
            )
        elif kind == 4:
            del file[chosen]
            file.create_dataset(chosen, (100,), "u1", external=[("/etc/hostname", 0, 100)])
        elif kind == 5:
            del file[chosen]
            file[chosen] = file["/"]
        else:
            del file[chosen]
    return block.getvalue()


def h5_in_zip(data, rng):
    return rezipped(data, lambda name, own: lying_h5(own, rng) if name.endswith(".h5") else own)


def lying_onnx(data, rng):
    """Change a node, an attribute, a shape or a weight in a graph."""
    import onnx

    model = onnx.load_model_from_string(data)
    node, weight = model.graph.node[0], model.graph.initializer[int(rng.integers(2))]
    kind = int(rng.integers(9))
    if kind == 0:
        node.op_type = bytewise.pick(
            ("GRU", "RNN", "If", "Loop", "Expand", "Gather", "MatMul", "Constant", "x" * 999), rng
        )
    elif kind == 1:
        weight.dims[int(rng.integers(3))] = bytewise.pick((0, -1, 1, 2**20, 2**40, 2**62), rng)
    elif kind == 2:
        weight.data_type = int(rng.integers(0, 30))
    elif kind == 3:
        node.input[int(rng.integers(len(node.input)))] = bytewise.pick(("", "y", "z", "W", "absent"), rng)
    elif kind == 4:
        node.attribute.append(
            onnx.helper.make_attribute("direction", bytewise.pick(("reverse", "x", 3, [1.0]), rng))
        )
    elif kind == 5:
        node.attribute[0].i = bytewise.pick((0, -1, 3, 2**62), rng)
    elif kind == 6:
        model.graph.output[0].name = bytewise.pick(("", "W", "absent"), rng)
    elif kind == 7:
        for _ in range(40):  # each gives twice as many numbers as the one before
            grown = model.graph.node.add(op_type="Concat")
            grown.input.extend(["W", "W"]), grown.output.append("W2")
            grown.attribute.append(onnx.helper.make_attribute("axis", 0))
    else:
        graph = onnx.helper.make_graph([], "deep", [], [])
        for _ in range(bytewise.pick((5, 50), rng)):
            inner = onnx.helper.make_node("If", ["x"], ["q"], then_branch=graph, else_branch=graph)
            graph = onnx.helper.make_graph([inner], "deep", [], [onnx.ValueInfoProto(name="q")])
            if graph.ByteSize() > 10**6:
                break
        model.graph.node.extend(graph.node)
    return model.SerializeToString()


def lying_pt(data, rng):
    """Save something else than a state dict."""
    stride = torch.zeros(1).expand(bytewise.pick((10, 2**30, 2**40), rng), 1)
    things = (
        Evil(), {"a": Evil()}, [1, 2], {"weight_ih_l0": stride, "weight_hh_l0": stride}, {1: torch.ones(2)}, torch.ones(3),
        {"state_dict": {"weight_ih_l0": torch.ones(4, 1).to_sparse()}}, {"x.weight_ih_l99": torch.ones(4, 1)},
        {"weight_ih_l0": torch.ones(4, 3), "weight_hh_l0": torch.ones(4, 1), "weight_ih_l999": torch.ones(1)},
        {"weight_ih_l0": torch.ones(4, 3, dtype=torch.complex64)}, {"weight_ih_l0": torch.empty(4, 3, device="meta")},
        bytearray(10**6),
    )  # fmt: skip
    thing = bytewise.pick(things, rng)
    if rng.random() < 0.2:
        return pickle.dumps(thing)
    out = io.BytesIO()
    torch.save(thing, out)
    return out.getvalue()


RAW = (bytewise.flip, bytewise.flip, bytewise.cut, bytewise.lengthened, bytewise.spliced, bytewise.zeroed)
WAYS = {
    ".keras": (*RAW, inside_zip, inside_zip, lying_config, lying_config, lying_config, h5_in_zip, huge_zip),
    ".h5": (*RAW, lying_h5, lying_h5, lying_h5),
    ".onnx": (*RAW, lying_onnx, lying_onnx, lying_onnx),
    ".pt": (*RAW, inside_zip, inside_zip, lying_pt, lying_pt, huge_zip),
    ".mat": RAW,
    ".safetensors": (
        *RAW,
        bytewise.flip_header,
        bytewise.rewritten,
        bytewise.huge_header,
        bytewise.huge_array,
    ),
}

# ---------------------------------------------------------------------------------------------- reading


def state_of(network):
    module = network if isinstance(network, torch.nn.Module) else network.torch_network()
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}, repr(module)


def peak_megabytes():
    """Return the largest resident size since the last call."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def outcome_of(path, good):
    try:
        found = recurra.import_weights(path)
    except RecurraError:
        return "errors"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    state, shown = state_of(found)
    if shown != good[1]:
        return "other_network"
    return "same" if state == good[0] else "other_numbers"


def batch(jobs, good, place):
    """Read changed files in this process; return a list of (number, outcome, seconds, megabytes)."""
    executed = []
    sys.addaudithook(
        lambda event, args: (
            executed.append(event)
            if event in ("os.system", "socket.connect", "os.exec")
            or (event == "exec" and getattr(args[0], "co_filename", "").startswith("<string"))
            else None
        )
    )
    found = []
    for number, name, data in jobs:
        path = place / f"{number}{Path(name).suffix}"
        path.write_bytes(data)
        peak_megabytes()
        before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        began = time.process_time()
        outcome = outcome_of(path, good[name])
        seconds = time.process_time() - began
        if executed or MARK.exists():
            outcome = f"code ran: {executed}"
        executed.clear()
        found.append((number, outcome, seconds, peak_megabytes() - before))
        path.unlink()
    return found


def in_child(jobs, good, place):
    """Return what `batch` gives, computed in a child, so that one that dies is seen."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            json.dump(batch(jobs, good, place), stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 else status


def attack(count, seed, place):
    """Return what importing ``count`` changed files did."""
    rng = np.random.default_rng(seed)
    files = originals(place)
    good = {}
    for name, data in files.items():
        (place / name).write_bytes(data)
        good[name] = state_of(recurra.import_weights(place / name))
    outcomes = ("errors", "same", "other_numbers", "other_network")
    found = {
        "files": 0,
        **dict.fromkeys(outcomes, 0),
        "by_format": {},
        "longest_seconds": 0.0,
        "most_megabytes": 0.0,
    }
    wrong = []
    names, numbers = list(files), iter(range(count))
    while jobs := [
        (number, names[number % len(names)]) for _, number in zip(range(BATCH), numbers, strict=False)
    ]:
        ways = {number: bytewise.pick(WAYS[Path(name).suffix], rng) for number, name in jobs}
        made = [(number, name, ways[number](files[name], rng)) for number, name in jobs]
        results = in_child(made, good, place)
        if isinstance(results, int):  # one of them killed the reader: which?
            results = []
            for job in made:
                own = in_child([job], good, place)
                results += [(job[0], f"died of status {own}", 0.0, 0.0)] if isinstance(own, int) else own
        for number, outcome, seconds, megabytes in results:
            name = names[number % len(names)]
            label = f"{number} {name} {ways[number].__name__}"
            found["files"] += 1
            found["longest_seconds"] = max(found["longest_seconds"], round(seconds, 2))
            found["most_megabytes"] = max(found["most_megabytes"], round(megabytes, 1))
            if outcome in outcomes:
                found[outcome] += 1
                own = found["by_format"].setdefault(Path(name).suffix, dict.fromkeys(outcomes, 0))
                own[outcome] += 1
            else:
                wrong.append(f"{label}: {outcome}")
            if seconds > LONGEST_SECONDS:
                wrong.append(f"{label}: took {seconds:.1f} s")
            if megabytes > MOST_MEGABYTES:
                wrong.append(f"{label}: {megabytes:.0f} megabytes")
    return found | {"wrong": wrong}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="changed files")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a child that was forked has no threads
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        found = attack(given.count, given.seed, Path(place))
    command = f"python tests/attacks/mutated_networks.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
