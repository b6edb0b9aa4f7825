"""Bytes on disk become records, one file per kind of file.

- `alike`: Small files of one folder that are alike: what the first one's columns are is decided once
- `archive`: Zipped data sets: the files inside are unpacked for the time of reading, within limits
- `arff`: The ``.arff`` files of Weka and of the time-series archives become records
- `arrow/`: What readers of tables know of Arrow's columns, before there is a table
- `arrays`: numpy arrays, in memory or in ``.npy`` and ``.npz`` files, become records
- `clips/`: Clips and folders of images: found, decoded in a child process, brought to one shape
- `files/`: What readers of every kind of file share; knows no format
- `folder`: A folder of files, one sequence each, becomes records
- `large/`: Large tables by pyarrow, many tables as one, and sequences on disk
- `one_file`: One file of a folder becomes one record: a table, an array, a signal, or a text
- `signals/`: Signal files become records, one file per format
- `tables/`: Tables, series and texts on disk become records
- `times/`: Time stamps, the calendar, and the frequency of a series
- `ts`: The ``.ts`` files of the time-series archives (timeseriesclassification.com) become records
"""
