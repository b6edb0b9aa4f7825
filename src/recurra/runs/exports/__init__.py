"""The network of a run as a file that runs elsewhere.

- `export`: what is written, and on which data of the run it is checked
- `int8_figures`: what weights of eight bits cost in accuracy, on the run's test part
"""
