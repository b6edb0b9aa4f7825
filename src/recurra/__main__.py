"""``python -m recurra`` is the command ``recurra``."""

from recurra.cli.main import main

main()
