"""Time stamps, the calendar, and the frequency of a series.

- `calendar`: Steps of a calendar: the time stamp so many steps after another, in its time zone
- `dates`: Time stamps as people write them become dates: ISO 8601, day or month first, AM and PM, ``1991 Jul``
- `frequency`: How far apart the time stamps of a series are, found by trying the frequencies of pandas
- `number_dates`: Numbers that are dates: written like 20240131 or 2024013112, years, weeks, days of a spreadsheet
- `rates`: Sampling rates of sequences from the times of their steps, and gaps between these
"""
