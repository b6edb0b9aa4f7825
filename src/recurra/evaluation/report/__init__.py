"""The HTML report of a result: its parts and its phrases.

- `context`: `ReportContext`, what a report tells beside its figures; and the versions that decide a figure
- `notebook`: `notebook_view`, a result as a notebook shows it
- `page`: `page`, a result as one self-contained HTML page that needs neither network nor script
- `series_page`: `series_page`, a result about time series as one self-contained HTML page
- `wording`: Phrases that several reports share: shares in per cent, and what a training history says of the training
"""
