"""Tables, series and texts on disk become records.

- `columns`: Named columns of a table, from delimited text, Parquet or a DataFrame
- `nested_cells`: Tables whose cells hold whole sequences, as the time-series archives' tools pass them
- `number_formats`: Numbers as people and spreadsheets write them: decimal marks, groups of thousands
- `preamble`: What programs write around a table in a text file: a ``sep=`` line, comments, a preamble, units
- `row_order`: Which rows of a long table make up which sequence, in which order, and what belongs to a whole one
- `series`: A table with a time column becomes series on a regular grid: frequency found, gaps named
- `table`: Tables become records: long (one row per time step), wide (one row per sequence), or one text per row
- `table_options`: What the user may say about a table: the words of `recurra.load`, and the column names taken unsaid
- `text_pairs`: Tables of two columns of text: a source, and what it is to be turned into
- `texts`: Texts on disk become records: one text a line, a file per text in a folder per class, or JSON lines
- `time_columns`: Time columns: what they are measured in, whether they go forward, and the sampling rate that follows
- `tokens`: Sentences with a label for each word: columns of CoNLL, a sentence a line with its labels beside, or JSON lines
"""
