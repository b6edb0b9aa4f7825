"""The fitted model as data, and its prediction with numpy and the kernels; never torch."""
