"""How well a network foretells a text: figures and samples as a page."""

from dataclasses import dataclass, field
from html import escape
from typing import Any, ClassVar

from recurra.evaluation.drawing.charts import learning_curves
from recurra.evaluation.report.page import figure_tiles
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
        curves = learning_curves(self.history) if self.history else ""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.4g}</td></tr>" for name, value in self.metrics.items()
        )
        samples = "".join(f"<pre>{escape(sample)}</pre>" for sample in self.samples)
        style = "body{font-family:sans-serif;max-width:760px;margin:2em auto;color:#1d2329;background:#fff}"
        style += "pre{white-space:pre-wrap;border:1px solid #d9dee4;padding:1em}td{padding:2px 12px 2px 0}"
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(self.title)}</title>'
            f"<style>{style}</style><h1>{escape(self.title)}</h1><table>{rows}</table>{curves}"
            f"<h2>What it writes</h2>{samples}</html>\n"
        )
