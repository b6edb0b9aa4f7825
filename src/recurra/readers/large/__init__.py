"""Large tables become columns of numbers without a Python object for each cell.

- `delimited`: Text with separators, read by pyarrow where it means what the reader of text makes of it
- `filling`: Batches of Arrow fill one block of numbers and the codes of words
- `many`: Many tables as one data set, on disk where they are larger than a share of memory
- `mapped`: Numbers in a file as an array, of which memory holds what was touched lately
- `parquet`: Parquet, a row group at a time
- `stored`: Sequences on disk: the rows of all in one flat file, and where each begins
- `tables`: `read_table`: by pyarrow where that says the same, else cell by cell
"""
