"""A model as C99 for a microcontroller: no memory from the heap, no library but the functions of ``math.h``.

- `cells`: The C of the cells: one step of a layer
- `code`: Header and source, put together from the fragments
- `costs`: RAM, flash and multiplications
- `fragments`: The C of every other part
- `layout`: Sizes, and all weights as one array; which models are refused
- `readme`: The page beside the C: how to call it, how to build it
- `vectors`: Sequences with recurra's answers, and the program that compares
- `write`: `write_c`, the folder, compiled and run before it is handed over
"""
