"""What those share that give a class, or numbers, to a text."""

from collections.abc import Sequence
from typing import Any

from recurra.errors import UsageError
from recurra.estimators.sequence_estimator import SequenceEstimator
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.explanations.explanation import Explanation
from recurra.insight.explanations import words
from recurra.serving.streams.text_stream import TextStream


class TextEstimator(SequenceEstimator):
    """Base of the estimators that read whole texts."""

    coverage_: float
    cut_: int

    def _learned(self) -> None:
        super()._learned()
        found = self.model_.manifest["text"]
        self.coverage_ = found["with_vector"] / found["words"]
        self.cut_ = found["cut"]

    def _shown(self, X: Any, sequences: Sequence[Any]) -> dict[str, Any]:
        return {"pictures": lambda: words.pictures(self, list(sequences))}

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> Explanation:
        """Say how much each word of a text speaks for an answer.

        Parameters
        ----------
        x : str
            One text.
        method : {"integrated_gradients", "occlusion"}
            Along the way from no vector at all to the vectors of the words; or by leaving out one word after the other.
        target : label or int, optional
            The class, or the index of the number, to explain; the predicted class by default.
        step : None
            For networks with an answer per time step; this one has none.
        **options
            ``points`` of integrated gradients.

        Returns
        -------
        Explanation
            Of kind "text": values of shape (tokens,). A notebook shows the words in colours.
        """
        self._check_fitted()
        if step is not None:
            raise UsageError(
                f"{type(self).__name__}: step is for networks with an answer per time step; leave it out."
            )
        return words.explain(self, x, method=method, target=target, options=options)

    def word_scores(self, X: Any) -> dict[Any, dict[str, float]]:
        """Return what the network makes of each different word, read alone.

        Parameters
        ----------
        X : list of str
            Texts whose words are judged.

        Returns
        -------
        dict of label to dict of str to float
            Of classes: for each word of a class, by how much the class leads over the next one, in [0, 1]. Of numbers:
            under "higher" and "lower", by how much the first number is above or below the mean of the training, in its
            units.
        """
        self._check_fitted()
        return words.word_scores(self, self._read(X)[0])

    def word_cloud(self, X: Any, *, max_words: int = 60) -> Drawing:
        """Draw a cloud of words for each heading of `word_scores`, at most four, sized by them.

        Parameters
        ----------
        X : list of str
            Texts whose words are shown.
        max_words : int, default=60
            Words of a cloud at most.

        Returns
        -------
        Drawing
            A notebook shows it; ``save`` writes it as SVG, PNG or PDF.
        """
        from recurra.evaluation.drawing.word_cloud import word_clouds_drawing

        self._check_fitted()
        return word_clouds_drawing(words.clouds(self, self._read(X)[0]), max_words=max_words)

    def stream(self, *, look_ahead: int | None = None) -> TextStream:  # type: ignore[override] # of text, not rows
        """Begin a text that comes piece by piece; ``push(piece)`` answers as ``predict`` does for all of it so far.

        Raises
        ------
        UsageError
            If the network is bidirectional or the user's own.
        """
        self._check_fitted()
        if look_ahead is not None:
            raise UsageError(
                f"{type(self).__name__}: look_ahead is for signals; a text is read with bidirectional=False."
            )
        return TextStream(self.model_)
