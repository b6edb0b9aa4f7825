"""The recurrences and the heads used at prediction; numpy only.

Each cell has its equations and a numpy reference in the file of its name, and a native version of the same
stem in ``native/``. `use` chooses between them, `describe` says what runs and why.

- `attention`: Attention at prediction: the queries of many hypotheses over the memories of many sequences
- `cells`: `Cells`, stacked layers, one step of any number of sequences, their states given and returned
- `compiled`: Calls of the native kernels with numpy arrays; shapes have been checked by the caller
- `convolutions`: Convolutions over whole sequences of unequal length, with numpy
- `crf`: Linear-chain conditional random field with numpy: likeliest labels, probability of each; see `recurra.nn.crf`
- `dispatch`: Which version of the kernels runs: the native one, the numpy reference, or whichever is there
- `front`: Trainable layers before the recurrence, computed with numpy
- `gru`: Gated recurrent unit: equations and numpy reference
- `heads`: What stands before and after the recurrent layers at prediction: scaling, pooling, linear head, softmax
- `inside`: Stacked layers with everything inside kept: gates and states of every step
- `lstm`: Long short-term memory: equations and numpy reference
- `random_kernels`: Shares of steps at which fixed dilated convolutions exceed thresholds, with numpy
- `rnn`: Elman network: equations and numpy reference
- `running`: A whole network of one stream as one native call: scaling, stacked layers, pooling, head and softmax
- `running_front`: What is asked of a front that is fed step by step
- `sequences`: The order in which the steps of unequal sequences are computed by the numpy reference
- `small_cnn`: A small convolutional network over each frame, with numpy; the twin of `recurra.nn.small_cnn`
- `stack`: Stacked layers in one or both directions, from weights with torch's names; whole or step by step
- `text`: Front of texts with numpy; the twin of `recurra.nn.text`
"""

from recurra.kernels.dispatch import current, describe, use

__all__ = ["current", "describe", "use"]
