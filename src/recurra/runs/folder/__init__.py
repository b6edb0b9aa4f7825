"""The run folder.

- `task_names`: What textbooks and model files call a task
- `files`: the names of its files, and those that are small.
- `json_files`: JSON read and figures made for it.
- `ownership`: when a run folder is locked (by `recurra.folder_lock`), and how a new run takes the place of an earlier one.
- `opening`: finding a run, or a free place for one.
- `history`: ``history.jsonl``, a line per epoch.
- `results`: report, figures, metrics and model, written at the end.
"""
