"""Sequences whose rows come one by one, answered with the numbers of the whole.

- `answer`: `Answer`, what a stream says after the rows so far
- `batch_answers`: `Answers`, what many streams say after a row each
- `batched_streams`: `Streams`, thousands of named sequences, stepped together as one batch
- `ensemble`: Several networks whose mean answers: of probabilities where they choose a class, of numbers otherwise
- `language_model`: A language model as data: perplexity of a text, and sampling with a temperature, through the kernels
- `latency`: How long answers took: a histogram whose memory does not grow
- `look_ahead`: `LookAheadStream`, networks that read backward too, answered from a window of the newest rows
- `stateful_network`: Front end, layers, pooling and head as one network that goes on step by step
- `stream`: `Stream`, one endless sequence, answered step by step with the numbers of the whole
- `stream_state`: The state of a stream as bytes, in the format of model files, and back for the same model only
- `text_stream`: `TextStream`, a text that comes piece by piece, answered with the numbers of the whole
- `video_stream`: `VideoStream`, frames in one by one, an answer after each
"""
