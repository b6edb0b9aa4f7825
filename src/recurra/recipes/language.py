"""What the length of a text decides of a text generator's training."""

from collections.abc import Mapping
from typing import Any

from recurra.options import Embedding, Recurrence, TextGeneratorOptions, Training, options_of

# What is decided where no option of network and training is given.
DECIDED = ("batch_size", "tbptt", "max_epochs", "learning_rate", "dropout")
# Characters that training may read, so that it ends within a minute on two cores; longer texts than leave so many epochs
# keep the defaults, beside which nothing else was measured.
CHARACTERS_READ = 2.5e6
FEWEST_EPOCHS, MOST_EPOCHS = 10, 25


def nothing_given(options: TextGeneratorOptions) -> bool:
    """Return whether every option of network and training has its default, and tokens are characters."""
    defaults = options_of(type(options))
    names = {name for group in (Training, Recurrence, Embedding) for name in options_of(group)}
    names |= {"tbptt", "tokens", "patience", "validation_fraction"}
    return all(getattr(options, name) == defaults[name].default for name in names)


def training_options(characters: int) -> dict[str, Any]:
    """Return options by which a short text is read often and in many small steps; none for a long one."""
    epochs = int(CHARACTERS_READ // characters)
    if epochs < FEWEST_EPOCHS:
        return {}
    found = {"batch_size": 16, "tbptt": 50, "max_epochs": min(epochs, MOST_EPOCHS)}
    return found | {"learning_rate": 0.003, "dropout": 0.3}


def told(decided: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentence that says what was decided; nothing where nothing was."""
    if not decided:
        return {}
    own = ", ".join(f"{name}={value!r}" for name, value in decided.items())
    return {"recipe": f"Recipe: {own}, as no option of network or training was given."}
