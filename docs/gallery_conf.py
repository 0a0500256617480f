"""What mkdocs.yml cannot tell mkdocs-gallery."""

from typing import Any


def arguments(script: Any) -> list[str]:
    """Of a script on the site: no workers, since spawned ones would look for its classes in mkdocs itself."""
    return ["--workers", "0"] if script.script_stem == "plot_backmix" else []


conf = {"reset_argv": arguments}
