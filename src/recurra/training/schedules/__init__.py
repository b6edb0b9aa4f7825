"""What changes while training goes on: the learning rate, the lengths, and when it ends.

- `curriculum`: Lengths that grow: training begins with short sequences and takes in longer ones as it succeeds
- `learning_rate`: Learning-rate schedules: pure functions from how far training is to a factor of the learning rate
- `stopping`: When training stops before its last epoch: no lower validation loss for a while
"""
