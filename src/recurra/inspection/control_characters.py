"""Control characters of names and labels, shown on a screen and not obeyed; needs no package."""

import re

# Control characters, and marks that turn the direction of what follows: a terminal would obey them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str, *, lines: bool = True) -> str:
    r"""Return text fit for a screen: control characters of names and labels are shown, such as ``\x1b``, not obeyed.

    Parameters
    ----------
    lines : bool, default=True
        Whether the ends of lines are ours and stay.
    """

    def shown(found: re.Match[str]) -> str:
        sign = found.group()
        return sign if lines and sign == "\n" else repr(sign)[1:-1]

    return _CONTROLS.sub(shown, text)


def printable_json(text: str) -> str:
    """Return JSON fit for a screen and the same to a program: control characters are written as escapes of JSON."""
    return _CONTROLS.sub(
        lambda found: found.group() if found.group() == "\n" else f"\\u{ord(found.group()):04x}", text
    )
