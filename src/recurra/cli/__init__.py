"""The front desk: one file per verb, each command beside the function of the same name in the API.

- `flags`: Flags made from the options of Python: how data are read, and the constructors of the estimators
- `main`: The command ``recurra``: finds the verb, turns errors into one sentence and an exit code
- `screen`: What the commands write: results on standard output, everything else on standard error
- `standard_streams`: Standard input, output and error of the command line where they are closed, full
- `verbs/`: One verb of the command line a file: it parses, calls `recurra.runs`, and prints
"""
