"""What stands behind the recurrence; twins in `recurra.kernels.heads`.

- `attention`: Attention of one sequence over the steps of another: where to look for the next symbol
- `crf`: Linear-chain conditional random field over the labels of a sequence; its loss is in `recurra.training.losses`
- `linear_cross_entropy`: A linear head and its mean cross entropy as one node of the graph
- `log_likelihood`: The log-likelihood of symbols under a large vocabulary
- `pooling`: From the outputs of every step to one vector a sequence: last, mean, max, attention
"""
