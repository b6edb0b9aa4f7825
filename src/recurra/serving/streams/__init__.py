"""Sequences whose rows come one by one, answered with the numbers of the whole.

- `answer`: `Answer`, what a stream says after the rows so far
- `answers`: `Answers`, what many streams say after a row each
- `latency`: How long answers took: a histogram whose memory does not grow
- `look_ahead`: `LookAheadStream`, networks that read backward too, answered from a window of the newest rows
- `members`: Several networks whose mean answers: of probabilities where they choose a class, of numbers otherwise
- `running`: The network as a running computation: its state, and what it answers after the steps so far
- `stream`: `Stream`, one endless sequence, answered step by step with the numbers of the whole
- `stream_state`: The state of a stream as bytes, in the format of model files, and back for the same model only
- `streams`: `Streams`, thousands of named sequences, stepped together as one batch
- `text_stream`: `TextStream`, a text that comes piece by piece, answered with the numbers of the whole
- `video_stream`: `VideoStream`, frames in one by one, an answer after each
- `writing`: A language model as data: how well it foretells a text, and what it writes, through the kernels
"""
