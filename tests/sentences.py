"""What an error has to say: one sentence of what came, what was expected, and what to do."""

from __future__ import annotations

KINDS = (TypeError, ValueError, OSError, ImportError)
"""What may be raised where something is wrong with what came; SectorNotFound is a ValueError."""


def fault_of(error: BaseException) -> str:
    """What is wrong with an error as a user's sentence; "" where nothing is.

    The system's own errors about files (no such file, no permission) are sentences by themselves.
    """
    if not isinstance(error, KINDS):
        return f"a {type(error).__name__} and no TypeError, ValueError, OSError or ImportError"
    if isinstance(error, OSError) and error.errno is not None:
        return "" if error.filename else "an error of the system that names no file"
    said = str(error)
    if not said.endswith((".", "?")):
        return "no full stop at its end"
    if "\n" in said:
        return "several lines"
    return "" if 30 < len(said) < 420 else f"{len(said)} characters"
