"""Records become ragged batches: `splits` decides which side of a split a record is on."""
