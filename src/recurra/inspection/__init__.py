"""What is in data; needs no model. Nothing is imported here.

- `inspection`: `inspect`: counts, problems, remarks, settings to begin with; what `recurra look` finds.
- `channels`: range of every channel, missing and infinite values.
- `kinds`: what the records of each kind of data are called.
- `leaks`: channels that equal the label, sequences twice, or on both sides of a split.
- `control_characters`: Control characters of names and labels shown on a screen, not obeyed.
- `recording_problems`: clipping, a channel that stands still, bursts of missing values.
"""
