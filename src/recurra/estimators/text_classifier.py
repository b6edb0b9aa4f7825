"""One class per text."""

from dataclasses import replace
from typing import Any

from recurra.errors import UsageError
from recurra.estimators.sequence_estimator import ClassEstimator
from recurra.evaluation.drawing.picture import Drawing
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.results.evaluation import Evaluation, ReportContext
from recurra.fitting.explanations import words
from recurra.fitting.tasks.answers import class_loss, class_target
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.texts import TEXTS
from recurra.options import TextClassifierOptions
from recurra.serving.streams.text_stream import TextStream


class TextClassifier(TextClassifierOptions, ClassEstimator):
    """Recurrent network that reads a text and gives it one class.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    vocabulary_ : dict of str to int
        Number of each known token.
    coverage_ : float
        Share of the different words of the training texts that have a pretrained vector; 1 where none are used.
    cut_ : int
        Training texts of more than ``max_tokens`` tokens.

    Examples
    --------
    >>> import recurra
    >>> texts = ["oil leaks out", "it is leaking oil", "no power at all", "the power is gone"] * 5
    >>> labels = ["leak", "leak", "power", "power"] * 5
    >>> clf = recurra.TextClassifier(hidden_size=8, embedding_size=8, max_epochs=30, random_state=0, verbose=0)
    >>> clf.fit(texts, labels).predict(["oil is leaking"]).tolist()
    ['leak']
    """

    task = SequenceTask(TEXTS, class_target, class_loss)

    def _learned(self) -> None:
        super()._learned()
        found = self.model_.manifest["text"]
        self.coverage_ = found["with_vector"] / found["words"]
        self.cut_ = found["cut"]

    def evaluate(  # type: ignore[override] # texts have no static inputs
        self, X: Any, y: Any = None, *, groups: Any = None, context: ReportContext | None = None
    ) -> Evaluation:
        """Judge on labelled texts; see `SequenceClassifier.evaluate`. The report shows a word cloud of each class."""
        found = super().evaluate(X, y, groups=groups, context=context)
        texts = self._read(X)[0]
        return replace(found, context=replace(found.context, pictures=lambda: words.pictures(self, texts)))

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
        target : label, optional
            The class to explain; the predicted one by default.
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
                "TextClassifier: step is for networks with an answer per time step; leave it out."
            )
        return words.explain(self, x, method=method, target=target, options=options)

    def word_scores(self, X: Any) -> dict[Any, dict[str, float]]:
        """Return the words that speak for each class, as the network judges each different word read alone.

        Parameters
        ----------
        X : list of str
            Texts whose words are judged.

        Returns
        -------
        dict of label to dict of str to float
            For each word of a class, by how much the class leads over the next one, in [0, 1].
        """
        self._check_fitted()
        return words.word_scores(self, self._read(X)[0])

    def word_cloud(self, X: Any, *, max_words: int = 60) -> Drawing:
        """Draw a cloud of words for each class, at most four, sized by `word_scores`.

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
                "TextClassifier: look_ahead is for signals; a text is read with bidirectional=False."
            )
        return TextStream(self.model_)
