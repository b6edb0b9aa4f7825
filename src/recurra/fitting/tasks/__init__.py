"""The steps of `recurra.fitting.fit.fit` that differ, one file per kind of task.

- `sequences`: one answer per sequence or per step, put together from how it is read and what is answered.
- `signals`: reading arrays of shape (time, channels).
- `texts`: reading texts and sentences.
- `clips`: reading clips.
- `series`: the next steps of series.
- `anomalies`: what is normal.
- `pairs`: symbols to symbols.
- `language`: the next token of a text.
"""
