"""``recurra datasets``: the data sets that can be named, with licence and where they are."""

from typing import Any

import click

from recurra.cli import flags, screen


def listed() -> list[dict[str, Any]]:
    """Return a row per data set: ``name``, ``title``, ``licence``, ``page``, ``here`` (whether no download is needed)."""
    from recurra.datasets import info, names

    rows = []
    for name in names():
        source = info(name)
        rows.append(
            {
                "name": name,
                "title": source.title,
                "licence": source.licence,
                "page": source.page,
                "citation": source.citation,
                "here": _here(source),
            }
        )
    return rows


def _here(source: Any) -> bool:
    import os
    from pathlib import Path

    from recurra.datasets.fetch import cache_folder

    given = os.environ.get("RECURRA_DATA")
    folders = [cache_folder(), *([Path(given)] if given else [])]
    return all(
        any((folder / source.folder / file.name).is_file() for folder in folders) for file in source.files
    )


@click.command(epilog=flags.examples("recurra datasets", "recurra datasets japanese-vowels"))
@click.argument("name", required=False)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one flat JSON object: name and title of each, or one's facts.",
)
def command(name: str | None, as_json: bool) -> None:
    """List the data sets that can be named, or show one with licence and citation."""
    if name is not None:
        return _one(name, as_json)
    rows = listed()
    if as_json:
        return screen.flat_json({row["name"]: row["title"] for row in rows})
    screen.table(
        ["name", "here", "what"], [[r["name"], "yes" if r["here"] else "no", r["title"]] for r in rows]
    )
    here = [row["name"] for row in rows if row["here"]]
    return screen.next_command("recurra", "look", "japanese-vowels" if "japanese-vowels" in here else here[0])


def _one(name: str, as_json: bool) -> None:
    from recurra.datasets import info

    info(name)  # refuses an unknown name with the nearest known
    row = next(row for row in listed() if row["name"] == name)
    if as_json:
        return screen.flat_json(row)
    screen.result(row["title"])
    facts = [(key, row[key]) for key in ("page", "licence", "citation")]
    screen.facts(
        [*facts, ("here", "yes" if row["here"] else "no; it is downloaded when asked for")], err=False
    )
    return screen.next_command("recurra", "look", name)
