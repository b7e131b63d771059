"""Tables of the documentation, as rows of their cells' text."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def rows_of(document: str, first_heading: str) -> list[tuple[str, ...]]:
    """The rows of all tables in a document whose first column has this heading, without code marks."""
    rows: list[tuple[str, ...]] = []
    inside = False
    for line in (DOCS / document).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = tuple(cell.strip().replace("`", "") for cell in line.strip("|").split("|"))
        if inside and not set(cells[0]) <= {"-", ":"}:
            rows.append(cells)
        inside = inside or cells[0] == first_heading
    return rows
