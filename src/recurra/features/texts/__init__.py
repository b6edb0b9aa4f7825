"""Texts become rows: symbols, tokens, word vectors, and counts of words and letters.

- `ngrams`: A text as the words, pairs of words and runs of letters in it, weighted by how rare they are
- `symbols`: `Symbols`, text as whole numbers and back: by characters, by words, or by parts of words
- `tokens`: `Words`, a text becomes one row per token; the vocabulary is counted and cut here
- `word_vectors`: `WordVectors`, words with a vector each, read from the files of GloVe, word2vec and fastText
"""
