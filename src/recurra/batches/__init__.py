"""Records become ragged batches.

- `bucketing`: Which examples go into which batch: similar lengths together, random enough, and repeatable
- `examples`: `Examples`, sequences with their targets and weights, and the ragged batches cut from them
- `rounded_copies`: `Sketch`, sums under random signs, by which copies with fewer digits than what was trained on are told
- `splits`: Which records train and which test: never a group, nor a sequence that was given twice, on both sides
- `synthetic_faults`: Faults planted into clean sequences: what an anomaly detector is trained and judged on
- `training_digests`: `TrainedOn`, digests of what a network was trained on, so that an evaluation can tell of overlap
"""
