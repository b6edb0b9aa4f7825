"""A model as C99 for a microcontroller: no memory from the heap, no library but the functions of ``math.h``.

- `code`: Header and source, put together from the fragments
- `costs`: RAM, flash and multiplications
- `fragments`: The C of every part
- `layout`: Sizes, and all weights as one array; which models are refused
- `readme`: The page beside the C: how to call it, how to build it
- `variant_cells`: The C of peephole and layer-normalized cells, and of a GRU with the reset before the product
- `vectors`: Sequences with recurra's answers, and the program that compares
- `write`: `write_c`, the folder, compiled and run before it is handed over
"""
