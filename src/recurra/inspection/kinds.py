"""What the records of each kind of data are called."""

KINDS = {
    "text": "texts",
    "tokens": "sentences",
    "pairs": "pairs of texts",
    "video": "clips",
    "series": "series",
}
