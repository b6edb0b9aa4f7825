"""Records become ragged batches.

`splits` decides which side of a split a record is on, `examples` holds what is trained on, `bucketing` which
examples make a batch.
"""
