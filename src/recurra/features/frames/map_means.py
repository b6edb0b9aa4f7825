"""Maps of an image network averaged over places of the frame, each frame the same bits in any company."""

import numpy as np

from recurra.errors import UsageError


def averaged(maps: np.ndarray, grid: int) -> np.ndarray:
    """Return the means over a grid of places.

    Parameters
    ----------
    maps : ndarray of float32, shape (frames, channels, height, width)
        What a layer gives.
    grid : int
        Places a side, at least 1; 1 averages over the whole frame.

    Returns
    -------
    ndarray of float32, shape (frames, grid * grid * channels)
        Place after place, row by row, the channels of each side by side.

    Raises
    ------
    UsageError
        If the maps are smaller than the grid.
    """
    frames, channels, height, width = maps.shape
    if grid > min(height, width):
        raise UsageError(
            f"grid must be at most {min(height, width)}, the places a side of this layer's maps; got {grid}. Choose an "
            "earlier layer, a larger image_size, or a smaller grid."
        )
    rows, columns = ([n * i // grid for i in range(grid + 1)] for n in (height, width))
    out = np.empty((frames, grid, grid, channels), np.float32)
    for i in range(grid):
        for j in range(grid):
            cell = maps[:, :, rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            out[:, i, j] = _mean(cell)
    return out.reshape(frames, -1)


def _mean(cell: np.ndarray) -> np.ndarray:
    """Return the mean over the last two axes, added place by place: numpy's own order depends on the shape."""
    total = np.zeros(cell.shape[:2], np.float32)
    for i in range(cell.shape[2]):
        for j in range(cell.shape[3]):
            total += cell[:, :, i, j]
    return total / np.float32(cell.shape[2] * cell.shape[3])


def no_places(grid: int) -> UsageError:
    """Return the error of an image network that gives one row of numbers per frame."""
    return UsageError(
        f"grid must be 1 for an image network that gives a row of features, no maps, for each frame; got {grid}."
    )
