"""Signal files become records, one file per format.

- `audio`: Sound files: WAV, FLAC and OGG, by the package soundfile
- `edf`: EDF and BDF files of clinical recordings, by the package edfio
- `matlab`: MATLAB's ``.mat`` files: versions 4 to 7 by scipy, version 7.3 by the package h5py
- `physionet`: PhysioNet records: a ``.hea`` header, signals in formats 16, 61, 80 or 212, and annotations
- `recording`: `Recording`, what the readers of signal files have in common before it becomes a record
- `signal`: Signal files become records: sound, EDF, MATLAB and PhysioNet, one recording each; MATLAB's cells
- `stretches`: Stretches of recordings with a label each, in the ``labels.csv`` of a folder, become a label per time step
"""
