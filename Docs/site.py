"""A hook of mkdocs: README is the first page, and links to files outside this folder lead to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
REPOSITORY = "https://github.com/DSIRRegistration/SlicerDSIRRegistration"
"""Not mkdocs' repo_url: with that, each page asks GitHub for its stars."""

LINK = re.compile(r"(!?\[[^\]]*\]\()(?!https?:|mailto:|#)([^)#\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: Any) -> Files:
    """README becomes ``index.md``; pictures that pages show from elsewhere in the repository join the site."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=_moved(readme, "../README.md")))
    for picture in (ROOT / "Resources" / "Screenshots").glob("*.png"):
        files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links of a page of ``Docs``."""
    return markdown if page.file.src_uri == "index.md" else _moved(markdown, page.file.src_uri)


ROLE = re.compile(r"(?::|(?<=<p>))(?:class|func|mod|data|attr|meth):(?=<code>)")
"""What Sphinx calls a name in a docstring; mkdocstrings shows it as it stands."""

TOGETHER = re.compile(r"<td><code>(<span[^>]*>\w+,</span>)</code></td>\s*<td>\s*<code>\(?(.*?)\)?</code>\s*</td>")
"""Attributes that a docstring tells in one line (``fixed, moving: ...``): mkdocstrings takes the second for a type."""


@event_priority(-100)
def on_post_page(output: str, page: Any, config: Any) -> str:
    """Names in docstrings without their roles, and attributes of one line as it says them."""
    return TOGETHER.sub(r"<td><code>\1 \2</code></td><td></td>", ROLE.sub("", output))


def _moved(markdown: str, page: str) -> str:
    """``page``: its path from ``Docs``."""
    here = page.rpartition("/")[0]

    def target(match: re.Match[str]) -> str:
        path = normpath(f"{here}/{match[2]}") if here else normpath(match[2])
        if not (DOCS / path).exists():
            raise PluginError(f"{page}: {match[2]} leads nowhere")
        place = normpath(f"Docs/{path}")
        up = "../" * (0 if page.startswith("../") else page.count("/"))
        if place.startswith("Resources/Screenshots/"):
            return f"{match[1]}{up}pictures/{Path(place).name}{match[3]}"
        if place.startswith("Docs/") and place.endswith((".md", ".png", ".svg")):
            return f"{match[1]}{up}{place.removeprefix('Docs/')}{match[3]}"
        return f"{match[1]}{REPOSITORY}/blob/main/{place}{match[3]}"

    return LINK.sub(target, markdown)
