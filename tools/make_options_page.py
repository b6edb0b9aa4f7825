"""Writes docs/options.md, the table of every option, from `recurra.options`: python tools/make_options_page.py."""

from pathlib import Path

from recurra.options import ESTIMATORS, OPTIONS, options_of

PAGE = Path(__file__).parent.parent / "docs" / "options.md"

HEAD = """# Every option

The parameters of the estimators. On the command line each is a flag with hyphens (`hidden_size` is `--hidden-size`), but for
`network` and `callbacks`, which are objects of Python, and `random_state`, which is `--seed`. This page is made of
`recurra.options` by `tools/make_options_page.py`.
"""


def shown(value: object) -> str:
    """Return a value as it is written in Python."""
    return f'`"{value}"`' if isinstance(value, str) else f"`{value!r}`"


def page() -> str:
    """Return the page: a table with a row per option, and one with the options of each estimator."""
    of = {name: options_of(owner) for name, owner in ESTIMATORS.items()}
    lines = [HEAD, "| option | type | default | what it does |", "| --- | --- | --- | --- |"]
    for name, option in OPTIONS.items():
        owners: dict[str, list[str]] = {}
        for estimator, own in of.items():
            if name in own:
                owners.setdefault(shown(own[name].default), []).append(estimator)
        usual = max(owners, key=lambda default: len(owners[default]))
        others = [f"{default} {', '.join(names)}" for default, names in owners.items() if default != usual]
        row = [f"`{name}`", option.shown_type, "; ".join([usual, *others]), option.doc]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    lines += ["", "| estimator | its options |", "| --- | --- |"]
    lines += [f"| `{name}` | {', '.join(f'`{one}`' for one in own)} |" for name, own in of.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
