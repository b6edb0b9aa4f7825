"""Front of texts: a vector for each word, what a small recurrent network makes of its letters, and runs of letters."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.checks import check_number
from recurra.kernels.fronts.text import distinct_spellings, runs_of_letters
from recurra.nn.cells.gru import GRU
from recurra.nn.random_generators import dropout
from recurra.ragged import Ragged


class TextFront(nn.Module):
    """Vector of a word, its letters read in both directions by a GRU, the mean vector of its runs of letters [1]_, or some
    of these side by side.

    A row of the input is what `recurra.features.texts.tokens.Words` gives: the number of the word, or its vector where that
    is not to be trained; then the codes of its letters, 0 where there is none.

    Parameters
    ----------
    description : mapping
        ``words``: vectors to train, 0 where the rows hold vectors; ``size`` of a vector, 0 for none; ``letters``: codes
        of letters, 0 where letters are not read; ``letter_size`` of a letter's vector; ``spelling``: units of the GRU in
        each direction; ``subwords``: vectors of runs of letters, 0 or absent for none, and their ``subword_size``;
        ``dropout``: share of features zeroed in training.
    input_size : int
        Columns of a row.

    References
    ----------
    .. [1] Bojanowski et al., "Enriching Word Vectors with Subword Information", 2017, arXiv:1607.04606.
    """

    generator = None  # what training draws from, see recurra.nn.random_generators; None is torch's global one

    def __init__(self, description: Mapping[str, Any], input_size: int) -> None:
        super().__init__()
        who = "TextFront"
        for word in ("words", "size", "letters", "letter_size", "spelling"):
            check_number(who, word, description.get(word), integer=True, low=0)
        for word in ("subwords", "subword_size"):
            check_number(who, word, description.get(word, 0), integer=True, low=0)
        check_number(who, "dropout", description.get("dropout"), low=0, high=1, high_open=True)
        self.first = 1 if description["words"] else int(description["size"])
        check_number(who, "input_size", input_size, integer=True, low=max(1, self.first))
        self.dropout = float(description["dropout"])
        self.words = (
            nn.Parameter(torch.empty(int(description["words"]), int(description["size"])))
            if description["words"]
            else None
        )
        self.letters: nn.Parameter | None = None
        self.spelling: GRU | None = None
        self.output_size = int(description["size"])
        if description["letters"]:
            self.letters = nn.Parameter(
                torch.empty(int(description["letters"]), int(description["letter_size"]))
            )
            self.spelling = GRU(
                int(description["letter_size"]), int(description["spelling"]), bidirectional=True
            )
            self.output_size += 2 * int(description["spelling"])
        self.subwords: nn.Parameter | None = None
        if description.get("subwords"):
            self.subwords = nn.Parameter(
                torch.empty(int(description["subwords"]), int(description["subword_size"]))
            )
            self.output_size += int(description["subword_size"])
        check_number(who, "output size", self.output_size, integer=True, low=1)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the vectors from normal distributions: deviation 0.1 for words (the unknown one zero), 0.5 for letters.

        Those of runs of letters begin as zeros: a run that training does not show has no say.
        """
        from recurra.nn.initialization import initialize

        with torch.no_grad():
            if self.words is not None:
                self.words.normal_(0.0, 0.1, generator=generator)
                self.words[0] = 0.0
            if self.letters is not None and self.spelling is not None:
                self.letters.normal_(0.0, 0.5, generator=generator)
                initialize(self.spelling, generator)
            if self.subwords is not None:
                self.subwords.zero_()

    def forward(self, ragged: Ragged) -> Ragged:
        """Return one row for each token: values of shape (total_steps, output_size)."""
        rows: Tensor = ragged.values
        parts = []
        if self.words is not None:
            parts.append(F.embedding(rows[:, 0].long(), self.words))
        elif self.first:
            parts.append(rows[:, : self.first])
        if self.letters is not None:
            parts.append(self._spelled(rows[:, self.first :], self.letters))
        if self.subwords is not None:
            runs, counts = runs_of_letters(rows[:, self.first :].detach().cpu().numpy(), len(self.subwords))
            total = F.embedding_bag(
                torch.from_numpy(runs).to(rows.device), self.subwords, mode="sum", padding_idx=0
            )
            parts.append(total / torch.from_numpy(counts).to(total)[:, None])
        return ragged.replace(dropout(self, torch.cat(parts, dim=1), self.dropout))

    def _spelled(self, codes: Tensor, letters: Tensor) -> Tensor:
        """Return the final states of both directions over the letters of each row; each spelling is read once."""
        flat, lengths, back = distinct_spellings(codes.detach().cpu().numpy())
        vectors = F.embedding(torch.from_numpy(flat).to(codes.device), letters)
        assert self.spelling is not None
        _, states = self.spelling(Ragged(vectors, lengths))
        return torch.cat([states[0], states[1]], dim=1)[torch.from_numpy(back).to(codes.device)]
