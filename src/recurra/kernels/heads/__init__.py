"""What stands behind the recurrence at prediction; twins in `recurra.nn.heads`.

- `attention`: Attention at prediction: the queries of many hypotheses over the memories of many sequences
- `crf`: Linear-chain conditional random field with numpy: likeliest labels, and the probability of each
- `pooling`: From states to outputs at prediction: pooling (last, mean, max, attention), linear head, softmax
"""
