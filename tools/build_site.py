"""Builds the documentation as a site: python -m tools.build_site FOLDER

The pages of docs/ stay plain Markdown that any forge shows; what a site needs beside is made here: the order of pages,
and links that lead out of docs/. Sphinx then makes warnings errors, so that a page left out or a lost link fails.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

from hookline.version import __version__

ROOT = Path(__file__).resolve().parent.parent
_SECTIONS = {
    "Begin": ["getting-started", "tutorials/*", "faq"],
    "How to": ["how-to/*", "dead-letters", "console", "limits", "workers", "bench", "health"],
    "Look up": ["configuration", "commands", "http-interface", "metrics", "logs", "runbooks/README", "runbooks/*"],
    "Know why": ["guarantees", "faults", "performance", "architecture", "decisions", "comparison"],
    "Work on it": ["testing", "dependencies", "project/*"],
}
_PROJECT_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_CONFIGURATION = f"""
project = "Hookline"
copyright = "the Hookline authors"
version = release = "{__version__}"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Hookline"
root_doc = "index"
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "mailto"]
html_copy_source = False
html_show_sphinx = False
suppress_warnings = ["misc.highlighting_failure"]
"""


def main(folder: str) -> int:
    """Build the site into a folder, which is made anew; the exit code of Sphinx."""
    target = Path(folder)
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="site-") as place:
        source = Path(place)
        gather(source)
        return build_main(["-b", "html", "-W", "--keep-going", "-q", "-j", "1", str(source), str(target)])


def gather(source: Path) -> None:
    """Put everything that the site is made of into a folder."""
    shutil.copytree(ROOT / "docs", source, dirs_exist_ok=True)
    (source / "README.md").unlink()
    (source / "project").mkdir()
    for page, name in _PROJECT_PAGES.items():
        (source / "project" / name).write_text((ROOT / page).read_text("utf-8"), "utf-8")
    origins = {f"project/{name}": ROOT / page for page, name in _PROJECT_PAGES.items()}
    for copied in sorted(source.rglob("*.md")):
        place = copied.relative_to(source)
        origin = origins.get(str(place), ROOT / "docs" / place)
        copied.write_text(_relinked(copied.read_text("utf-8"), origin, place), "utf-8")
    (source / "index.md").write_text(_index(source), "utf-8")
    (source / "conf.py").write_text(_CONFIGURATION, "utf-8")


def _relinked(text: str, origin: Path, place: Path) -> str:
    """Links that lead out of docs/: to pages that the site has too, or else only their text."""

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        path, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return match[0]
        found = (origin.parent / path).resolve()
        known = _place_of(found)
        if known is None:
            return words
        up = "../" * (len(place.parts) - 1)
        return f"[{words}]({up}{known}{'#' + fragment if fragment else ''})"

    return _LINK.sub(link, text)


def _place_of(found: Path) -> str | None:
    """Where the site has a file; None for what it does not have."""
    for page, name in _PROJECT_PAGES.items():
        if found == ROOT / page:
            return f"project/{name}"
    if found in (ROOT / "README.md", ROOT / "docs" / "README.md"):
        return "index.md"
    if found.is_file() and found.is_relative_to(ROOT / "docs"):
        return str(found.relative_to(ROOT / "docs"))
    return None


def _index(source: Path) -> str:
    """The first page: what it is, and all pages in order; raises ValueError for one that has no place."""
    readme = (ROOT / "README.md").read_text("utf-8")
    opening = readme.partition("\n## ")[0].replace("docs/images/", "images/")
    opening = _relinked(opening, ROOT / "README.md", Path("index.md"))
    left = {str(page.relative_to(source).with_suffix("")) for page in source.rglob("*.md")}
    parts = [opening]
    for title, patterns in _SECTIONS.items():
        names = []
        for pattern in patterns:
            found = sorted(name for name in left if Path(name).match(pattern) and name.count("/") == pattern.count("/"))
            names += found
            left -= set(found)
        parts.append("```{toctree}\n:caption: " + title + "\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```")
    if left:
        raise ValueError(f"pages without a place in the site, see _SECTIONS: {', '.join(sorted(left))}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
