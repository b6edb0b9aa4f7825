"""The steps of `recurra.fitting.fit.fit` that differ, one file per kind of task.

`sequences.py`: one answer per sequence or per step; how it is read is one of `signals.py`, `texts.py`, `clips.py`, what
is answered one of `answers.py`.
`series.py`: the next steps of series. `anomalies.py`: what is normal. `pairs.py`: symbols to symbols. `language.py`: the
next token.
"""
