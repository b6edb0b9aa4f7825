"""Linear-chain conditional random field over the labels of a sequence; the equations are in `recurra.kernels.heads.crf`."""

import numpy as np
import torch
from torch import Tensor, nn

from recurra.ragged import Ragged


class CRF(nn.Module):
    """Scores of labels that depend on the label before.

    Parameters
    ----------
    labels : int
        Number of labels.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.begin = nn.Parameter(torch.zeros(labels))
        self.end = nn.Parameter(torch.zeros(labels))

    def forward(self, ragged: Ragged) -> Tensor:
        """Return what each step's label is drawn from, given the label before.

        The probability of all labels of a sequence is the product of its steps' (the backward messages are in them), so
        that the loss of a step is an ordinary cross entropy; see `recurra.training.losses.chain_cross_entropy`.

        Parameters
        ----------
        ragged : Ragged
            Scores of shape (total_steps, labels).

        Returns
        -------
        Tensor of shape (total_steps, labels * labels)
            Log-probabilities, one block for each label before; of a first step all blocks are the same.
        """
        scores: Tensor = ragged.values
        lengths = np.asarray(ragged.lengths)
        first = np.cumsum(lengths) - lengths
        labels = len(self.begin)
        rows: list[Tensor] = []
        places: list[np.ndarray] = []
        after = self.end.expand(0, labels)
        order = np.argsort(-lengths, kind="stable")  # the longest first: those under way stand at the front
        for t in range(int(lengths.max()) - 1, -1, -1):
            there = order[: int(np.searchsorted(-lengths[order], -t, side="left"))]
            if len(there) > len(after):  # sequences whose last step this is
                after = torch.cat([after, self.end.expand(len(there) - len(after), labels)])
            at = first[there] + t
            own = scores[torch.from_numpy(at).to(scores.device)] + after
            before = self.transitions if t else self.begin.expand(labels, labels)
            joint = before + own[:, None, :]
            total = torch.logsumexp(joint, dim=2)
            rows.append((joint - total[:, :, None]).flatten(1))
            places.append(at)
            after = total
        back = np.empty(len(scores), dtype=np.int64)
        back[np.concatenate(places)] = np.arange(len(scores))
        return torch.cat(rows)[torch.from_numpy(back).to(scores.device)]
