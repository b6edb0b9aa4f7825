"""Small data in every form a user may have them."""

from pathlib import Path

import numpy as np

# Small and quick: these networks need not be good.
TINY = {"hidden_size": 6, "max_epochs": 3, "learning_rate": 0.02, "verbose": 0}
TINY_FLAGS = ("--hidden-size", "6", "--max-epochs", "3", "--learning-rate", "0.02", "-q")


def waves(n, seed):
    """Return n sequences of two channels with class and group: three waves of different speed."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        t = np.arange(rng.integers(6, 14))
        values = np.stack([np.sin(t * (0.3 + 0.5 * (i % 3))), rng.normal(size=len(t))], axis=1)
        out.append((values.round(4), "abc"[i % 3], f"person {i % 5}"))
    return out


def write_forms(folder, name, sequences):
    """Write the sequences as a folder per class, a long table with and without labels, and a .ts file."""
    for i, (values, label, _) in enumerate(sequences):
        file = folder / name / label / f"{i:02}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(file, values, delimiter=",", header="ax,ay", comments="", fmt="%.4f")
    rows = [
        f"{name}{i},{x:.4f},{y:.4f},{label},{group}"
        for i, (values, label, group) in enumerate(sequences)
        for x, y in values
    ]
    (folder / f"{name}.csv").write_text("\n".join(["recording,ax,ay,gesture,who", *rows]) + "\n")
    bare = [",".join(row.split(",")[:3]) for row in rows]
    (folder / f"{name}-unlabelled.csv").write_text("\n".join(["recording,ax,ay", *bare]) + "\n")
    lines = [
        ":".join(",".join(f"{v:.4f}" for v in channel) for channel in values.T) + f":{label}"
        for values, label, _ in sequences
    ]
    header = ["@problemName waves", "@univariate false", "@classLabel true a b c", "@data"]
    (folder / f"{name}.ts").write_text("\n".join([*header, *lines]) + "\n")


# Form -> training data, words it is read with, test data of the same kind.
FORMS = {
    "folder": ("old", {}, "new"),
    "long": ("old.csv", {"id": "recording", "label": "gesture", "group": "who"}, "new.csv"),
    "ts": ("old.ts", {}, "new.ts"),
    "named": ("japanese-vowels", {}, "japanese-vowels"),
}


def source(forms: Path, name: str) -> str:
    """Return the path of a form, or the name of a data set."""
    return str(forms / name) if (forms / name).exists() else name
