"""One verb of the command line a file: it parses, calls `recurra.runs`, and prints.

- `compare`: ``recurra compare``: runs side by side, and whether their difference is more than noise
- `datasets`: ``recurra datasets``: the data sets that can be named, with licence and where they are
- `doctor`: ``recurra doctor``: versions, kernels, threads, and where data are looked for
- `eval`: ``recurra eval``: judge a trained network on its test part, or on new data
- `explain`: ``recurra explain``: which values of one sequence speak for its prediction
- `export`: ``recurra export``: the network of a run as a file that runs without recurra
- `generate`: ``recurra generate``: text from a language model, as it is drawn
- `import`: ``recurra import``: a network that other software trained, as a model file or as weights
- `look`: ``recurra look``: what is in the data, what to watch out for, and settings to begin with
- `predict`: ``recurra predict``: predictions of a trained network as CSV or JSON lines
- `resume`: ``recurra resume``: go on with a run that was interrupted or killed, to the end it would have had
- `stream`: ``recurra stream``: rows or frames come in, answers go out at once
- `studio`: ``recurra studio``: a local page on the runs below a folder
- `train`: ``recurra train``: data to a trained, judged and saved network in a run folder
- `tune`: ``recurra tune``: options searched for, the best trained again and judged once
"""
