"""Folders and tables of clips become records; a record's values are the path of a video or of a folder of images.

Recognised, in this order: ``labels.csv`` or ``labels.tsv`` (file, label, group) beside the clips; the split files of UCF101
(``trainlist01.txt``) and HMDB51 (``CLASS_test_split1.txt``) in the folder or one beside it; ``train`` and ``test``
folders; one sub-folder per class; clips without labels.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recurra.checks import check_number, counted, did_you_mean_file, listing
from recurra.errors import DataError, MissingDataError
from recurra.readers.clips.video import IMAGE_SUFFIXES, SUFFIXES, image_names, read_rows
from recurra.readers.files.children import is_hidden, note_of, staying_in, visible
from recurra.readers.one_file import LABEL_FILES, LABELS, labels_in
from recurra.readers.tables.columns import Columns, read_delimited
from recurra.readers.tables.table_options import refuse
from recurra.records import Dataset, Record

ROW_BY_ROW = "Images are read row by row; a step is a row."
_TABLES = {".csv", ".tsv", ".npy", ".ts", ".wav", ".flac", ".edf", ".mat", ".hea"}
_PATH_COLUMNS = ("file", "filename", "path", "clip", "video", "name")
_LABEL_COLUMNS = ("label", "class", "category", "target", "y")
# UCF101: v_ApplyEyeMakeup_g01_c03.avi is the third clip of the first group, cut from one long video.
_UCF_GROUP = re.compile(r"^v_(.+_g\d+)_c\d+$")


def is_clip(path: Path) -> bool:
    """Whether a path is a video file, or a folder of images without folders in it."""
    if path.is_dir():
        return bool(image_names(path)) and not any(child.is_dir() for child in path.iterdir())
    return path.suffix.lower() in SUFFIXES


def media_in(folder: Path) -> str | None:
    """Say what a folder holds: "clips", "images" to be read row by row, or None for neither.

    Video files, and folders of images two levels below (a class, a clip), are clips. Images directly in the folder or
    in one folder per class are images. ``train`` and ``test`` are no level.
    """
    level = [folder]
    for depth in range(4):
        children = [child for one in level for child in _children(one, folder)]
        files = {
            child.suffix.lower() for child in children if child.is_file() and child.name not in LABEL_FILES
        }
        if files & set(SUFFIXES):
            return "clips"
        if files & set(IMAGE_SUFFIXES) and not files & _TABLES:  # a chart beside recordings is none of them
            return "images" if depth < 2 else "clips"
        level = [child for child in children if child.is_dir()]
        if depth == 0 and {child.name.lower() for child in level} == {"train", "test"}:
            level = [child for one in level for child in _children(one, folder) if child.is_dir()]
    return None


def read_images(path: Path, *, label: str | None = None, group: str | None = None) -> Dataset:
    """Read the images of a folder row by row: a step is a row, its channels are the points of it.

    Parameters
    ----------
    path : Path
        With one folder per class, ``train`` and ``test`` folders of such, or ``labels.csv``.
    label, group : str, optional
        Columns of ``labels.csv``.

    Returns
    -------
    Dataset
        Values from 0, black, to 1, of shape (height, width), or (height, 3 * width) with colours.

    Raises
    ------
    DataError
        If there is no image, or one is wider than another.
    """
    notes = [ROW_BY_ROW]
    labels = labels_in(path)
    if labels is not None:
        dataset = from_table(read_delimited(labels), path, label=label, group=group)
        records = list(dataset.records)
    else:
        _check_given(path, "images", label=label, group=group)
        records = _image_records(path, path)
        notes += _without(path, records, "image")
    if not records:
        raise DataError(f"{path}: holds no image ({', '.join(IMAGE_SUFFIXES)}).")
    rows = read_rows([record.values for record in records])
    _check_one_width(records, rows)
    read = [replace(record, values=values) for record, values in zip(records, rows, strict=True)]
    return Dataset(read, source=str(path), notes=tuple(notes))


def _without(path: Path, records: Sequence[Record], what: str) -> list[str]:
    """Return sentences on folders beside those of classes from which nothing was read."""
    classes = {Path(record.values).parent for record in records if record.label is not None}
    beside = sorted({child for folder in classes for child in folder.parent.iterdir()} - classes)
    return [
        f"{path}: the folder {child.relative_to(path).as_posix()!r} has no {what}; there is no class of this name."
        for child in beside
        if child.is_dir() and not is_hidden(child) and path in child.parents
    ]


def read_image(path: Path) -> Dataset:
    """Read one image row by row, as `read_images` reads those of a folder."""
    record = Record(read_rows([path])[0], name=path.name)
    return Dataset([record], source=str(path), notes=(ROW_BY_ROW,))


def _check_one_width(records: Sequence[Record], rows: Sequence[np.ndarray]) -> None:
    """Raise DataError naming the first image whose rows are not as long as those of the first; heights may differ."""
    for record, values in zip(records, rows, strict=True):
        if values.shape[1] != rows[0].shape[1]:
            raise DataError(
                f"{record.values}: its rows have {counted(values.shape[1], 'value')}, those of {records[0].values} "
                f"{rows[0].shape[1]}; images read row by row must all be as wide, and all grey or all in colours. Bring "
                "them to one width, or put each into a folder of its own in its class folder: then they are clips, whose "
                "size an image network does not mind."
            )


def _image_records(root: Path, top: Path) -> list[Record]:
    folders = [child for child in _children(root, top) if child.is_dir()]
    if {folder.name.lower() for folder in folders} == {"train", "test"}:
        return [
            replace(record, part=folder.name.lower(), name=f"{folder.name}/{record.name}")
            for folder in sorted(folders, key=lambda f: f.name.lower() != "train")
            for record in _image_records(folder, top)
        ]
    places = [(root, None), *((folder, folder.name) for folder in folders)]
    return [
        _record(image, root, label)
        for place, label in places
        for image in staying_in(top, [place / name for name in image_names(place)])
    ]


def read_clips(
    path: Path, *, split_number: int | None = None, label: str | None = None, group: str | None = None
) -> Dataset:
    """Read a folder of clips.

    Parameters
    ----------
    path : Path
        The folder.
    split_number : int, optional
        Which of the official splits, where the data set has several; the first by default.
    label, group : str, optional
        Columns of ``labels.csv``.

    Returns
    -------
    Dataset
        Of kind "video", records named by path inside the folder, in order of the names.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    DataError
        If there is no clip, or labels or split files name one that is not there.
    """
    if split_number is not None:
        check_number("clips", "split_number", split_number, integer=True, low=1)
    if not path.is_dir():
        raise MissingDataError(f"{path}: there is no such folder.")
    labels = labels_in(path)
    if labels is not None:
        refuse(
            _told(split_number=split_number),
            ["label", "group"],
            f"{path}, whose {labels.name} names the clips",
        )
        table = read_delimited(labels)
        return replace(from_table(table, path, label=label, group=group), source=str(path))
    _check_given(path, "clips", label=label, group=group)
    root = _root(path)
    records, notes = _labelled(root, path)
    notes += _without(path, records, "clip")
    if not records:
        deeper = next(
            (f for f in sorted(root.glob("*/*/*/*")) if f.suffix.lower() in (*SUFFIXES, *IMAGE_SUFFIXES)),
            None,
        )
        if deeper is not None:
            clip = (deeper.parent if deeper.suffix.lower() in IMAGE_SUFFIXES else deeper).relative_to(path)
            raise DataError(
                f"{path}: its clips lie a folder deeper, such as {clip}, and which folders are classes is not known. "
                f"Write a table {LABELS} into {path} with the columns file, label and group, a row for each clip, such as "
                f"{clip},{clip.parts[0]},{clip.parts[1]}."
            )
        raise DataError(
            f"{path}: holds no clip: neither a video ({', '.join(SUFFIXES)}) nor a folder of images "
            f"({', '.join(IMAGE_SUFFIXES)})."
        )
    records, how = _with_official_split(records, path, split_number)
    return Dataset(records, kind="video", source=str(path), notes=(*notes, *how))


def _told(**words: object) -> list[str]:
    return [word for word, value in words.items() if value is not None]


def _check_given(path: Path, what: str, **words: object) -> None:
    """Raise UnusedWordError at the name of a column, where no table has columns."""
    refuse(
        _told(**words),
        ["split_number"] if what == "clips" else [],
        f"{path}, a folder of {what} without a {LABELS}",
        advice=f"Labels and groups stand in a {LABELS} with the columns file, label and group.",
    )


def _root(path: Path) -> Path:
    """Return the folder with the classes: the only one that holds clips, where it stands beside the split files."""
    inside = [child for child in _children(path, path) if child.is_dir()]
    with_clips = [child for child in inside if media_in(child)]
    others = [child for child in inside if child not in with_clips]
    has_split = any(_split_files(child) for child in [path, *others])
    if len(with_clips) == 1 and has_split and not is_clip(with_clips[0]):
        return with_clips[0]
    return path


def _labelled(root: Path, top: Path) -> tuple[list[Record], list[str]]:
    """Return the clips below ``root``, and notes; no link out of ``top`` is followed."""
    folders = [child for child in _children(root, top) if child.is_dir()]
    if {folder.name.lower() for folder in folders} == {"train", "test"}:
        records, notes = [], []
        for folder in sorted(folders, key=lambda f: f.name.lower() != "train"):
            part, own = _labelled(folder, top)
            name = folder.name.lower()
            records += [replace(r, part=name, name=f"{folder.name}/{r.name}") for r in part]
            notes += own
        return records, notes
    direct = [child for child in _children(root, top) if _is_clip_inside(child, top)]
    # Image folders directly below are clips without labels, unless other folders say that they are classes.
    classes = [folder for folder in folders if not is_clip(folder)]
    if classes:
        direct = [child for child in direct if not child.is_dir()]
        classes = [folder for folder in folders if _children(folder, top)]
    if classes and not direct:
        records, notes = _classes(root, classes, top)
        return records, note_of(top, root.iterdir()) + notes
    if not direct and is_clip(root):
        direct = [root]
    return [_record(clip, root, None) for clip in direct], note_of(top, root.iterdir())


def _classes(root: Path, folders: Sequence[Path], top: Path) -> tuple[list[Record], list[str]]:
    records, notes = [], []
    for folder in folders:
        notes += note_of(top, folder.iterdir())
        clips = [child for child in _children(folder, top) if _is_clip_inside(child, top)]
        others = [c.name for c in _children(folder, top) if c not in clips]
        if others and clips:
            notes.append(
                f"{folder}: left out {len(others)} that {'is no clip' if len(others) == 1 else 'are no clips'}: "
                f"{listing(others, 3)}."
            )
        records += [_record(clip, root, folder.name) for clip in clips]
    return records, notes


def _children(folder: Path, top: Path) -> list[Path]:
    """Return what is in a folder, without links that lead out of ``top``."""
    return staying_in(top, visible(folder))


def _is_clip_inside(path: Path, top: Path) -> bool:
    """Whether a path is a clip none of whose frames is a link that leads out of ``top``."""
    return is_clip(path) and not (path.is_dir() and note_of(top, path.iterdir()))


def _record(clip: Path, root: Path, label: str | None) -> Record:
    found = _UCF_GROUP.match(clip.stem)
    # Of a folder that is itself the clip the real name, whether it is called ".", by a link or in full.
    name = clip.relative_to(root).as_posix() if clip != root else clip.resolve().name
    return Record(str(clip), label=label, name=name, group=found.group(1) if found else None)


# ------------------------------------------------------------ official splits


def _split_files(folder: Path) -> list[Path]:
    return [*folder.glob("trainlist*.txt"), *folder.glob("*_test_split*.txt")]


def _with_official_split(
    records: list[Record], path: Path, given: int | None
) -> tuple[list[Record], list[str]]:
    """Mark the sides of the split of UCF101 or HMDB51, where its files are there."""
    number = 1 if given is None else given
    places = [path, *(child for child in visible(path) if child.is_dir())]
    places += [path.parent / name for name in ("ucfTrainTestlist", "testTrainMulti_7030_splits")]
    for place in places:
        if place.is_dir() and _split_files(place):
            sides = _ucf_sides(place, number) or _hmdb_sides(place, number)
            if not sides:
                raise DataError(f"{place}: has no split number {number}; give another split_number.")
            return _marked(records, sides, place, number)
    refuse(_told(split_number=given), [], f"{path}, which has no files of an official split")
    return records, []


def _ucf_sides(place: Path, number: int) -> dict[str, str]:
    sides: dict[str, str] = {}
    for side in ("train", "test"):
        file = place / f"{side}list{number:02d}.txt"
        if not file.is_file():
            return {}
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                sides[line.split()[0].rsplit("/", 1)[-1]] = side
    return sides


def _hmdb_sides(place: Path, number: int) -> dict[str, str]:
    sides: dict[str, str] = {}
    for file in sorted(place.glob(f"*_test_split{number}.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) == 2 and words[1] in ("1", "2"):
                sides[words[0]] = "train" if words[1] == "1" else "test"
    return sides


def _marked(
    records: list[Record], sides: dict[str, str], place: Path, number: int
) -> tuple[list[Record], list[str]]:
    found = [(record, sides.get(Path(record.values).name)) for record in records]
    kept = [replace(record, part=side) for record, side in found if side is not None]
    here = {Path(record.values).name for record in records}
    missing = [name for name in sides if name not in here]
    if not kept:
        raise DataError(
            f"{place}: its split number {number} names none of the {counted(len(records), 'clip')}."
        )
    notes = [f"Official split {number} from {place}."]
    if len(kept) < len(records):
        notes.append(f"Left out {counted(len(records) - len(kept), 'clip')} that the split does not name.")
    if missing:
        notes.append(
            f"The split names {counted(len(missing), 'clip that is', 'clips that are')} not there: {listing(missing, 3)}."
        )
    return kept, notes


# ------------------------------------------------------------------- tables


def clip_column(table: Columns) -> str | None:
    """Return the column of a table that names clips, None if there is none."""
    for name in table.names:
        if name.lower() in _PATH_COLUMNS and table.rows:
            first = next((cell for cell in table.strings(name) if cell), "")
            if Path(first).suffix.lower() in SUFFIXES:
                return name
    return None


def names_clips(path: Path) -> bool:
    """Whether a table's first line names a column of paths, and its second a clip in it."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        head, first = (lines.readline(100_000).strip().lower() for _ in range(2))
    named = any(cell.strip(' "') in _PATH_COLUMNS for cell in re.split(r"[,;\t]", head))
    return named and any(Path(cell.strip(' "')).suffix in SUFFIXES for cell in re.split(r"[,;\t]", first))


def read_table_of_clips(path: Path, *, label: str | None = None, group: str | None = None) -> Dataset:
    """Read a table of paths, relative to its own folder, and labels; see `from_table`."""
    return from_table(read_delimited(path), path.parent, label=label, group=group)


def from_table(
    table: Columns, folder: Path, *, label: str | None = None, group: str | None = None
) -> Dataset:
    """Read a table of paths, relative to a folder, and labels.

    Parameters
    ----------
    table : Columns
        With a column ``file`` (or path, clip, video), and one ``label``, ``group``, ``part`` where there are such.
    folder : Path
        What relative paths start from.
    label, group : str, optional
        Names of the columns.
    """
    column = clip_column(table) or next((n for n in table.names if n.lower() in _PATH_COLUMNS), None)
    if column is None:
        raise DataError(
            f"{table.who}: has no column of paths 'file'; its columns are {listing(table.names)}."
        )
    labels = _labels(table, label, _LABEL_COLUMNS, "label")
    groups = _labels(table, group, ("group", "subject", "source"), "group")
    parts = _labels(table, None, ("part", "split"), "part")
    records = []
    for row, file in enumerate(table.strings(column)):
        if not file:
            raise DataError(f"{table.who}: {table.place(row)} names no file in the column {column!r}.")
        path = folder / file
        if not path.exists():
            near = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(
                f"{table.who}: {table.place(row)} names {file!r}, which is not there.{did_you_mean_file(path.name, near)}"
            )
        records.append(
            Record(
                str(path), label=labels[row], group=groups[row], name=file, part=_part(table, row, parts[row])
            )
        )
    return Dataset(records, kind="video", source=str(table.who))


def _part(table: Columns, row: int, cell: object) -> str | None:
    if cell is None:
        return None
    part = str(cell).lower()
    if part not in ("train", "test"):
        raise DataError(
            f"{table.who}: the part at {table.place(row)} must be 'train' or 'test'; got {cell!r}."
        )
    return part


def _labels(table: Columns, given: str | None, usual: Sequence[str], word: str) -> list[object]:
    if given is not None:
        table.check_name(given, word)
    name = given or next((name for name in table.names if name.lower() in usual), None)
    return [None] * table.rows if name is None else list(table.labels(name))
