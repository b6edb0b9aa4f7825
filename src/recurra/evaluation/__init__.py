"""Judgement: figures with intervals beside the naive answer, charts, explanations and the HTML report.

Nothing is imported here, so that a figure can be computed without loading the charts, and a chart without
torch.
"""
