"""How well a network foretells a text: figures and samples as a page."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from recurra.evaluation.report.page import figure_tiles, learning_pictures
from recurra.evaluation.report.series_page import series_page
from recurra.evaluation.results.evaluation import Evaluation


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
    history : list of dict
        Of the training.
    title : str
        Heading of the page.
    """

    task: ClassVar[str] = "generation"

    samples: list[str]
    history: list[dict[str, Any]] = field(default_factory=list)
    title: str = "TextGenerator"

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

    def tiles(self) -> list[dict[str, str]]:
        """Return name, value and naive value of each figure, as text."""
        return figure_tiles(self.metrics, {})

    def to_html(self) -> str:
        """Return figures, losses and samples as one page that needs nothing else."""
        context = replace(
            self.context, title=self.context.title or self.title, history=self.context.history or self.history
        )
        learned = learning_pictures(context)
        return series_page(
            context,
            headline=self.headline(),
            sentences=self.sentences(),
            figures=self.tiles(),
            sections=[("How it learned", learned)] if learned else [],
            samples=self.samples,
        )
