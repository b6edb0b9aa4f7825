"""What readers of tables know of Arrow's columns, before there is a table.

- `coded`: `Coded`, a column of text in which cells that are equal are one string
- `parquet_file`: A Parquet file opened and checked before its rows are read
"""
