"""What is done row by row, and what every feature shares: alignment, streams, sums in a fixed order.

- `alignment`: Which steps of a sequence a row of frames stands for: labels per step become labels per row, and back
- `deltas`: How fast each number changes from row to row, as it is used beside cepstral coefficients
- `deterministic_sums`: Sums in one fixed order: a frame gives the same bits alone, in a block and in a stream
- `missing`: Missing values filled, on request with a mask channel; where that is not asked for, `recurra.checks` refuses NaN
- `scaling`: Scaling per channel, learned on the training part only
- `streaming`: Features fed chunk by chunk: what each feature's stream offers, and the chain of them
"""
