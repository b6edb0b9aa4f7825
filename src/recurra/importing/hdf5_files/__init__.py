"""HDF5 within limits.

- `child`: The process that reads a file, which may die of it
- `tree`: What it found: arrays and attributes by path
"""
