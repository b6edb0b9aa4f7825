"""Judgement: figures with intervals beside the naive answer, charts, explanations and the HTML report.

Nothing is imported here, so that a figure can be computed without loading the charts, and a chart without
torch.

- `diagrams`: `recurra.draw`, diagrams of layers, cells and networks made from the modules themselves
- `drawing/`: Charts and diagrams as SVG
- `explanations/`: Which inputs speak for an answer, and what happens inside of a network
- `metrics/`: Figures, their intervals, the naive answers beside them, and tests of differences
- `report/`: The HTML report of a result: its parts and its phrases
- `results/`: One class per task for how good a model is on some data
"""
