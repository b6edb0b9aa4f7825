"""`recurra.tune`: options searched for by training with many, several processes at one search.

- `choice`: Which trial is trained again: the best, or the default where none is better by more than chance
- `page`: What mattered in a search, as a page of HTML
- `space`: Which options are searched, and where, by default and as a user says
- `study`: The folder of a search: its trials in a journal; which is next, first those of a process that died
- `trial`: One trial, an ordinary run judged inside the training part, begun or gone on with from its checkpoint
- `tune`: `recurra.tune`, from data to the best run, trained again and judged once
"""
