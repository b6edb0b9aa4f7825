"""How well a network foretells a text: figures and samples as a page."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from recurra.evaluation.metrics.paired_tests import Totals
from recurra.evaluation.report.page import figure_tiles, learning_pictures
from recurra.evaluation.report.series_page import series_page
from recurra.evaluation.results.evaluation import Evaluation

# Pieces of a text that are taken as independent of one another, where two networks are compared, and their least tokens.
PIECES, TOKENS_OF_A_PIECE = 100, 50


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TextEvaluation(Evaluation):
    """How well a network foretells a text.

    Parameters
    ----------
    metrics : dict
        ``bits_per_character``, ``perplexity`` (per token), ``n_test`` (characters), each with ``_baseline``: tokens as
        frequent as in training whatever stands before.
    samples : list of str
        What it writes.
    nats : ndarray of shape (tokens,)
        What each token foretold takes.
    history : list of dict
        Of the training.
    title : str
        Heading of the page.
    """

    task: ClassVar[str] = "generation"

    samples: list[str]
    nats: np.ndarray = field(default_factory=lambda: np.zeros(0))
    history: list[dict[str, Any]] = field(default_factory=list)
    title: str = "TextGenerator"

    def figure_totals(self) -> Totals | None:
        """Return the bits of each piece of the text, for each character foretold."""
        pieces = min(PIECES, len(self.nats) // TOKENS_OF_A_PIECE)
        if not pieces:
            return None
        of_piece = np.arange(len(self.nats)) * pieces // len(self.nats)
        sums = np.bincount(of_piece, weights=self.nats)
        # Nats for each bit a character: the logarithm of two, and the characters foretold.
        foretold = float(self.nats.sum() / self.metrics["bits_per_character"])
        return Totals(
            sums[:, None], np.arange(pieces), lambda totals, n: totals[:, 0] / foretold, "bits_per_character"
        )

    def headline(self) -> str:
        """Return how many bits a character takes."""
        return f"{self.metrics['bits_per_character']:.3g} bits per character"

    def sentences(self) -> list[str]:
        """Return how well the text is foretold, beside the naive answer."""
        m = self.metrics
        return [
            f"{self.headline()} where guessing by frequency takes {m['bits_per_character_baseline']:.3g}; perplexity "
            f"{m['perplexity']:.3g} a token ({m['perplexity_baseline']:.3g}).",
            f"Judged on {m['n_test']:,} characters.",
        ]

    def findings(self) -> list[str]:
        """Return reasons to read the figures with care, first that the network foretells no better than guessing."""
        return [*self._no_better(), *super().findings()]

    def _no_better(self) -> list[str]:
        if self.metrics["bits_per_character"] < self.metrics["bits_per_character_baseline"]:
            return []
        return [
            "The network foretells no better than guessing by frequency: train longer, or on more text, before it writes."
        ]

    def tiles(self) -> list[dict[str, str]]:
        """Return name, value and naive value of each figure, as text."""
        return figure_tiles(self.metrics, {})

    def to_html(self) -> str:
        """Return figures, losses and samples as one page that needs nothing else."""
        context = replace(
            self.context, title=self.context.title or self.title, history=self.context.history or self.history
        )
        context = replace(context, warnings=[*self._no_better(), *context.warnings])
        learned = learning_pictures(context)
        return series_page(
            context,
            headline=self.headline(),
            sentences=self.sentences(),
            figures=self.tiles(),
            sections=[("How it learned", learned)] if learned else [],
            samples=self.samples,
        )
