"""Bytes on disk become records, one file per kind of file.

`table` long and wide tables (CSV, TSV, Parquet, DataFrames), `ts` the archives' ``.ts`` files, `arrays`
numpy arrays and ``.npy``/``.npz``, `folder` folders of such files; `columns` and `clock` are what they
share: named columns, and time columns.
"""
