"""The front desk: one file per verb, each command beside the function of the same name in the API.

- `flags`: Flags made from the options of Python: `--hidden-size`, `--budget 2m`, how data are read
- `main`: The command ``recurra``: finds the verb, turns errors into one sentence and an exit code
- `messages`: Messages of the library in the words of the command line: the verb that was typed, and its flags
- `standard_streams`: Standard input, output and error where they are closed, full, or their reader has gone
- `next_steps`: the command to run next, made from the facts of a call.
- `terminal_output`: What the commands print: results on standard output, everything else on standard error
- `verbs/`: One verb of the command line a file: it parses, calls `recurra.runs`, and prints
"""
