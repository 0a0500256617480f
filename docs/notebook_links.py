"""Links of notebooks to other pages, written as paths (`how-to/gpu.md`), become the site's addresses.

mkdocs does so for Markdown pages only. A link to a page that is not there is a warning, so `--strict` fails.
"""

from __future__ import annotations

import logging
import posixpath
import re
from typing import Any

log = logging.getLogger("mkdocs.hooks.notebook_links")


def on_page_content(html: str, page: Any, files: Any, **_: Any) -> str:
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def address(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), link[1]))
        target = files.get_file_from_path(path)
        if target is None:
            log.warning("%s links to %s, which is no page", page.file.src_uri, path)
            return link[0]
        return f'href="{target.url_relative_to(page.file)}{link[2] or ""}"'

    return re.sub(r'href="(?!https?:)([^"#]+\.md)(#[^"]*)?"', address, html)
