"""Ctrl-C at every instruction that some functions run, one after the other."""

import sys
from types import CodeType


def codes_of(*modules):
    """Return the code of every function and method that the modules define."""
    found, left = set(), []
    for module in modules:
        for value in vars(module).values():
            value = getattr(value, "__wrapped__", value)
            members = vars(value).values() if isinstance(value, type) else [value]
            left += [
                member.__code__
                for member in members
                if hasattr(member, "__code__") and member.__module__ == module.__name__
            ]
    while left:
        code = left.pop()
        found.add(code)
        left += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return found


def interrupted(work, codes, at):
    """Raise KeyboardInterrupt at the ``at``-th instruction that one of ``codes`` runs; return whether it had so many."""
    count = -1

    def trace(frame, event, _):
        nonlocal count
        if frame.f_code not in codes:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            count += 1
            if count == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace(), sys.unraisablehook
    sys.unraisablehook = lambda _: None  # Python drops what is raised in a __del__
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before[0])
        sys.unraisablehook = before[1]
    return count >= at


def each_instruction(work, codes, *, most=2000):
    """Yield for every instruction of ``codes`` its number, once ``work`` was cut there; at last without a cut."""
    for at in range(most):
        cut = interrupted(work, codes, at)
        yield at, cut
        if not cut:
            return
    raise AssertionError(f"more than {most} instructions")
