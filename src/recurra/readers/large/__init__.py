"""Large tables become columns of numbers without a Python object for each cell.

- `delimited`: Text with separators, read by pyarrow where it means what the reader of text makes of it
- `filling`: Batches of Arrow fill one block of numbers and the codes of words
- `parquet`: Parquet, a row group at a time
- `tables`: `read_table`: by pyarrow where that says the same, else cell by cell
"""
