"""Records become ragged batches.

- `bucketing`: Which examples go into which batch: similar lengths together, random enough, and repeatable
- `examples`: `Examples`, sequences with their targets and weights, and the ragged batches cut from them
- `faults`: Faults planted into clean sequences: what a detector is trained to undo or to tell apart, and judged on
- `splits`: Which records train and which test: never a group, nor a sequence that was given twice, on both sides
- `trained_on`: `TrainedOn`, what a network was trained on, kept as digests
"""
