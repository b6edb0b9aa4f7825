"""What the records of each kind of data are called."""

KINDS = {
    "text": "texts",
    "tokens": "sentences",
    "pairs": "pairs of texts",
    "video": "clips",
    "series": "series",
}


def records(number: int, kind: str | None) -> str:
    """Return a number of records of a kind of data with what they are called: ``1 text``, ``12 pairs of texts``."""
    many = KINDS.get(str(kind), "sequences")
    return f"{number} {one_of(kind) if number == 1 else many}"


def one_of(kind: str | None) -> str:
    """Return what one record of a kind of data is called."""
    many = KINDS.get(str(kind), "sequences")
    return {"series": "series", "pairs of texts": "pair of texts"}.get(many, many[:-1])
