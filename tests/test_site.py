"""The documentation as a site, and its pages that are made of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tools import build_site
from tools.reference import PAGES

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_of_the_code_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


@pytest.mark.timeout(120)
def test_the_site_is_built_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.build_site", str(tmp_path / "site")]
    built_site = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert (built_site.returncode, built_site.stderr) == (0, "")
    pages = {page.relative_to(DOCS).with_suffix("") for page in DOCS.rglob("*.md")} - {Path("README")}
    built = {page.relative_to(tmp_path / "site").with_suffix("") for page in (tmp_path / "site").rglob("*.html")}
    assert pages <= built
    assert "runbooks/stalled.html" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_a_page_without_a_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_site, "_SECTIONS", {"Begin": ["getting-started"]})
    with pytest.raises(ValueError, match=r"pages without a place in the site.*guarantees"):
        build_site.gather(tmp_path)
