"""The parts of a model file's manifest, each a typed description; the last are the whole manifests of every task.

Sizes that arrays bear out are compared with the arrays where these are read; what no array bears out has a limit here.
"""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from recurra.kernels.cell import CELLS, PLAIN
from recurra.serving.schema import Count, Json, Length, Part, Range, Rate, Share, Size, value

if TYPE_CHECKING:
    Cell: TypeAlias = str
    PlainCell: TypeAlias = str
else:  # what is a cell is said in one place
    Cell, PlainCell = Literal[tuple(CELLS)], Literal[tuple(PLAIN)]
Level = Literal["character", "word", "bpe", "token"]
Horizon = Annotated[int, Range(1, 100_000)]
Season = Annotated[int, Range(1, 2**24)]
Inner = Annotated[float, Range(0, 1, low_open=True, high_open=True)]
StateArray = Literal["tail", "center", "spread", "profile", "own", "future", "static"]
Place = Annotated[int, Range(-(2**53), 2**53)]  # on a calendar, in steps

# ------------------------------------------------------------------------------------------------- networks


class Embedding(Part):
    """Vectors of tokens."""

    name: Literal["embedding"]
    vocabulary: Size
    size: Size


class Patches(Part):
    """A linear map of every row."""

    name: Literal["patches"]
    size: Size


class Convolution(Part):
    """Two convolutions within a window."""

    name: Literal["convolution"]
    channels: Size
    size: Size
    kernel: Size
    stride: Size
    kernel_2: Size
    stride_2: Size


class ConvolutionLayer(Part):
    """One of several over the steps."""

    filters: Size
    kernel: Size
    dilation: Size


class Convolutions(Part):
    """Convolutions over the steps."""

    name: Literal["convolutions"]
    layers: Annotated[tuple[ConvolutionLayer, ...], Length(1, 1000)]
    causal: bool


class TextFront(Part):
    """Vectors of words, of runs of letters, and a network that spells."""

    told = frozenset({"dropout"})

    name: Literal["text"]
    words: Count
    size: Count
    letters: Count
    letter_size: Count
    spelling: Count
    subwords: Count = 0
    subword_size: Count = 0


class SmallCNN(Part):
    """An image network trained with the rest."""

    name: Literal["small_cnn"]
    image_size: Size
    channels: Size


Front = Embedding | Patches | Convolution | Convolutions | TextFront | SmallCNN


class SequenceNetwork(Part):
    """One recurrence with a front end before and a head behind it: `recurra.nn.networks.sequence_network.NetworkConfig`."""

    cell: Cell
    input_size: Size
    hidden_size: Size
    output_size: Size
    num_layers: Size
    bidirectional: bool
    pooling: str
    dropout: Share = 0.0
    front: Front | None = None
    crf: bool = False
    static_size: Count = 0  # of the inputs, how many are static


class EncoderDecoder(Part):
    """The network of a translator: `recurra.nn.networks.translator_network.TranslatorConfig`."""

    cell: PlainCell
    source_size: Size
    target_size: Size
    embedding_size: Size
    hidden_size: Size
    num_layers: Size
    bidirectional: bool
    input_feeding: bool
    tie_embeddings: bool
    attention: Literal["dot", "general", "additive"]
    dropout: Share = 0.0


class ForecastNetwork(Part):
    """The network of every member of a forecaster: `recurra.nn.networks.forecast_network.ForecastConfig`."""

    told = frozenset({"dropout", "noise"})

    cell: Cell
    input_size: Size
    hidden_size: Size
    n_targets: Size
    n_outputs: Size
    num_layers: Size
    horizon: Horizon
    n_lags: Count
    level: Count
    highway: Count
    dropout: Share = 0.0


# ------------------------------------------------------------------------------------------------- features


class Scaling(Part):
    """Promises the arrays ``center`` and ``spread``, float64 with a number per channel."""

    name: Literal["scaling"]
    kind: Literal["zscore", "robust", "none"]


class MissingMask(Part):
    """A mark per channel where a value was missing."""

    name: Literal["missing_mask"]


class FilledGaps(Part):
    """Missing values filled; promises the array ``center``, float64 with a number per channel."""

    name: Literal["filled_gaps"]


class Windows(Part):
    """Windows of a signal and what is computed from each."""

    name: Literal["windows"]
    parts: Annotated[tuple[dict[str, Json], ...], Length(1, 100)]
    window: Annotated[int, Range(1, 2**22)]
    hop: Size
    rate_hz: Rate
    taper: Literal["hann", "hamming", "none"]
    center: bool


class Deltas(Part):
    """Slopes over the last rows."""

    name: Literal["deltas"]
    width: Annotated[int, Range(1, 1000)]


class BeatIntervals(Part):
    """Intervals between heartbeats."""

    name: Literal["beat_intervals"]
    sample_rate_hz: Annotated[float, Range(1, 200_000)]


class Words(Part):
    """Tokens of a text; promises the array ``tokenizer``, uint8, and perhaps ``vectors``, float32."""

    name: Literal["words"]
    level: Level
    alphabet: str
    max_tokens: Size | None


class Features(Part):
    """What a raw sequence goes through."""

    n_channels: Annotated[int, Range(0, 2**24)]
    steps: Annotated[
        tuple[Scaling | MissingMask | FilledGaps | Windows | Deltas | BeatIntervals | Words, ...],
        Length(0, 100),
    ]


class SeriesFeatures(Part):
    """How the rows of a forecaster are made: `recurra.features.series.SeriesFeatures`."""

    transform: Literal["none", "log"] = "none"
    scaling: Literal["zscore", "robust", "common", "none"] = "zscore"
    seasonal: Literal["inputs", "adjust", "none"] = "inputs"
    seasons: Annotated[tuple[Season, ...], Length(0, 100)] = ()
    lags: Annotated[tuple[Season, ...], Length(0, 10_000)] = ()
    clock: str = ""
    n_targets: Size = 1
    n_known: Count = 0
    n_static: Count = 0
    center: tuple[float, ...] = ()
    spread: tuple[Rate, ...] = ()
    known_center: tuple[float, ...] = ()
    known_spread: tuple[Rate, ...] = ()
    static_center: tuple[float, ...] = ()
    static_spread: tuple[Rate, ...] = ()


class StaticColumn(Part):
    """One static input: a number and how it is scaled, or categories."""

    name: str
    categories: Annotated[tuple[str, ...], Length(0, 1000)] | None = None
    center: float = 0.0
    spread: Rate = 1.0
    marks_missing: bool = False


class Static(Part):
    """Values of a whole sequence: `recurra.features.static.StaticInputs`."""

    named: bool
    columns: Annotated[tuple[StaticColumn, ...], Length(1, 10_000)]


# ------------------------------------------------------------------------------------------------- targets


class Classes(Part):
    """Labels in the order of the outputs, and their type."""

    classes: Annotated[tuple[str | int | float | bool, ...], Length(1, 1_000_000)]
    dtype: str
    chain: bool = False


class Numbers(Part):
    """How outputs become numbers in the units of y."""

    center: Annotated[tuple[float, ...], Length(1)]
    spread: Annotated[tuple[Annotated[float, Range(0)], ...], Length(1)]
    single: bool
    per_step: bool = False
    quantiles: tuple[Inner, ...] = ()


class TokenCounts(Part):
    """How often every token of a language model was seen."""

    counts: Annotated[tuple[Count, ...], Length(1)]


# ------------------------------------------------------------------------------------------------- files


class Training(Part):
    """What is known of a training; no answer is made of it."""

    history: tuple[dict[str, Json], ...]
    best_epoch: Count
    epochs: Count = 0
    seconds: Annotated[float, Range(0)] = 0.0
    stopped: Json | None = None
    finished: str = ""
    lengths: tuple[Count, ...] = ()
    windows: Count = 0
    commonest: str = ""
    baseline: dict[str, tuple[float, ...]] | None = None
    recipe: str = ""
    decided: tuple[str, ...] = ()


class ModelFile(Part):
    """What the manifest of every model file says: who wrote it, with which options, for what, and which keys it needs."""

    told = frozenset({"kind", "schema", "needs", "recurra", "versions", "training"})

    estimator: str
    params: dict[str, Json]
    task: str
    training: Training
    seed: Annotated[int, Range(0)]
    recurra: str = ""
    versions: dict[str, str] | None = None
    needs: tuple[str, ...] = ()  # from `recurra.serving.schema.needed`; earlier versions wrote none


class TableInput(Part):
    """Columns of the table that X was."""

    n_features_in: Size | None
    feature_names_in: tuple[str, ...] | None


class TextFacts(Part):
    """How many words there are, have a vector, and were cut from texts too long."""

    words: Size
    with_vector: Count
    cut: Count


class Backbone(Part):
    """The image network a clip is read with, by its content."""

    name: str
    sha256: str
    layer: Json | None = None
    grid: Annotated[int, Range(1, 64)] = 1


class VideoFacts(Part):
    """How clips are read."""

    sampling: dict[str, Json]
    backbone: Backbone | None


class WidePart(Part):
    """A linear answer beside the network's; its arrays are those of `recurra.serving.models.wide`."""

    kind: Literal["ngrams", "summary", "resampled summary"]
    share: Share


class SequenceFile(ModelFile):
    """A network over sequences, texts or clips."""

    network: SequenceNetwork | None
    features: Features
    input: TableInput
    channel_names: tuple[str, ...] | None = None
    sample_rate_hz: Rate | None = None
    text: TextFacts | None = None
    video: VideoFacts | None = None
    wide: WidePart | None = None
    static: Static | None = None
    members: Annotated[int, Range(1, 1000)] = 1


class ClassFile(SequenceFile):
    """One class a sequence, or one a step."""

    target: Classes


class NumberFile(SequenceFile):
    """Numbers of a sequence, or of every step."""

    target: Numbers


class GeneratorFile(SequenceFile):
    """A language model."""

    target: TokenCounts


class Vocabulary(Part):
    """Symbols of one side of a translation."""

    level: Level
    names: Annotated[tuple[str, ...], Length(3)]
    tokenizer: str
    marks: bool


class Vocabularies(Part):
    """Both sides."""

    source: Vocabulary
    target: Vocabulary


class TranslationFile(ModelFile):
    """A translator."""

    network: EncoderDecoder
    vocabularies: Vocabularies
    max_length: Annotated[int, Range(1, 10**6)]
    attention_scaled: bool = False


class SeriesInput(Part):
    """What the series of the training were."""

    freq: Annotated[str, Length(0, 20)]
    one: bool
    flat: bool
    channel_names: tuple[str, ...] | None
    attributes: tuple[tuple[str | int | float | bool, ...] | None, ...]
    known_names: tuple[str, ...] | None = None
    attribute_names: tuple[str, ...] | None = None


class Calibration(Part):
    """By how much intervals are widened."""

    factors: tuple[Annotated[float, Range(0)], ...]
    windows: Count = 0


class Statistical(Part):
    """With which weight the statistical forecast is mixed in."""

    told = frozenset({"sentence"})

    weight: Share
    seasons: Annotated[tuple[Season, ...], Length(0, 100)]
    search: bool
    sentence: str = ""
    known: bool = False  # files of before inputs known in advance were read do without them


class SeriesStanding(Part):
    """Where a series stands; ``sizes`` are names and shapes of its numbers in the array ``states``."""

    name: str | None
    phase: Place
    sizes: Annotated[tuple[Annotated[tuple[Json, ...], Length(2, 2)], ...], Length(5, 7)]
    begin: Place | None = None  # versions before 0.2 wrote an offset in its place
    start: Annotated[float, Range(-1e15, 1e15)] | None = None
    zone: str | None = None
    known_names: tuple[str, ...] = ()
    offset: Annotated[float, Range(-1e15, 1e15)] = 0.0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each array, in order."""
        found = {}
        for at, (name, shape) in enumerate(self.sizes):
            where = f"states: sizes[{at}]"
            found[value(StateArray, name, where)] = value(
                Annotated[tuple[Count, ...], Length(1, 2)], shape, where
            )
        return found


class ForecastFile(ModelFile):
    """A forecaster and where its series stand."""

    told = ModelFile.told | {"clock"}

    network: ForecastNetwork
    features: SeriesFeatures
    members: Annotated[int, Range(1, 1000)]
    context: Size
    loss: Literal["mae", "mse", "gaussian", "quantile"]
    quantiles: Annotated[tuple[Inner, ...], Length(0, 1000)]
    input: SeriesInput
    states: Annotated[tuple[SeriesStanding, ...], Length(1)]
    calibration: Calibration | None = None
    statistical: Statistical | None = None
    clock: str = ""  # a sentence


class BlocksPart(Part):
    """How a sequence is cut for an anomaly detector."""

    size: Annotated[int, Range(1, 10_000)]
    center: Annotated[tuple[float, ...], Length(1)]
    spread: Annotated[tuple[Rate, ...], Length(1)]
    rough: Annotated[tuple[Rate, ...], Length(1)]
    view: Literal["values", "deviations", "differences"] = "values"


class NeighboursPart(Part):
    """Distances to normal windows beside the network; the arrays are those of `recurra.serving.anomalies.neighbours`."""

    share: Share
    center: float
    scale: Rate


class AnomalyFile(ModelFile):
    """An anomaly detector."""

    network: SequenceNetwork
    blocks: BlocksPart
    method: Literal["planted", "autoencoder", "forecaster"]
    reach: Annotated[int, Range(0, 100_000)]
    smooth: Annotated[int, Range(0, 2**31 - 1)]
    error_spread: Rate
    threshold: float
    channel_names: tuple[str, ...] | None = None
    neighbours: NeighboursPart | None = None
