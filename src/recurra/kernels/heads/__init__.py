"""What stands behind the recurrence at prediction; twins in `recurra.nn.heads`.

- `attention`: Attention at prediction: the queries of many hypotheses over the memories of many sequences
- `crf`: Linear-chain conditional random field with numpy: likeliest labels, and the probability of each
- `pooling`: What stands before and after the recurrent layers at prediction: scaling, pooling, linear head, softmax
"""
