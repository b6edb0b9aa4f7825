"""Charts and diagrams as SVG.

- `cells`: The insides of the recurrent cells side by side, each gate with its equation
- `charts`: Charts of the report: confusion matrix, reliability, training history, errors; each one function to an ``<svg>``
- `forecast`: `Forecast`, the next steps of one series with an interval, and its picture
- `network`: A whole network from input to answer, with shapes and parameter counts
- `picture`: `Drawing`, the one type of figure, which a notebook shows and `save` writes; `Shown`, what has one
- `series_charts`: Charts of time series: history, forecast and truth; errors by horizon; errors beside the naive ones
- `signals`: Signals drawn with what a network makes of them over time
- `sketch`: `Sketch`, boxes, lines and texts at given places, what diagrams are made with
- `strips`: Frames of a clip in a row, with what a network makes of them over time
- `svg`: A matplotlib figure as inline SVG for a page: real text, colours that follow the page, nothing random
- `unrolled`: Recurrent layers unrolled over a sequence: which weights act where, with their names and shapes
- `word_cloud`: Word clouds: the words that speak for a class, sized by how far, laid out by the ``wordcloud`` library
"""
