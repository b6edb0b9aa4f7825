"""Bytes on disk become records, one file per kind of file.

`table` long and wide tables (CSV, TSV, Parquet, DataFrames), `ts` the archives' ``.ts`` files, `arrays`
numpy arrays and ``.npy``/``.npz``, `signal` the signal files (`audio`, `edf`, `matlab`, `physionet`), `folder` folders
of such files, `archive` zip files of such folders; `columns`, `clock` and `recording` are what they share: named
columns, time columns, and recordings.
"""
