"""`ImportedLayers`: layers by name, as a file of weights alone holds them."""

from collections.abc import Iterator, Mapping

from torch import nn


class ImportedLayers(nn.Module):
    """Layers of a file that holds weights and not how they are joined.

    Parameters
    ----------
    layers : mapping of str to Module
        By the names in the file; ``layers["encoder.lstm"]`` gives one of them.
    left : mapping of str to str
        Arrays that belong to no layer recurra takes, and why, by name.
    """

    def __init__(self, layers: Mapping[str, nn.Module], left: Mapping[str, str]) -> None:
        super().__init__()
        self._names = {name: name.replace(".", "__") or "layer" for name in layers}
        self.layers = nn.ModuleDict({self._names[name]: layer for name, layer in layers.items()})
        self.left = dict(left)
        self.eval()

    def __getitem__(self, name: str) -> nn.Module:
        return self.layers[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
