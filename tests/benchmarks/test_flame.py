"""Flame graphs are made of stacks that were sampled."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from benchmarks.flame import shares, svg, tree

STACKS = [
    "run.main;process.run_until_signalled;engine.Engine.settle 3",
    "run.main;process.run_until_signalled;engine.Engine.settle;ledger.Ledger.settle 1",
    "run.main;process.run_until_signalled;fetcher.<listcomp> 4",
    "run.main;imports.load 100",
]


def test_each_function_has_the_share_that_it_took_itself_and_the_start_is_left_out() -> None:
    assert dict(shares(tree(STACKS, ".run_until_signalled"))) == {
        "fetcher.<listcomp>": 0.5,
        "engine.Engine.settle": 0.375,
        "ledger.Ledger.settle": 0.125,
        ".run_until_signalled": 0.0,
    }


def test_the_picture_has_a_box_for_each_function_as_wide_as_its_share() -> None:
    picture = ElementTree.fromstring(svg(tree(STACKS, ".run_until_signalled"), "a < b", frozenset({"engine"})))
    space = "{http://www.w3.org/2000/svg}"
    widths = {
        group.findtext(f"{space}title"): group.find(f"{space}rect").get("width")  # type: ignore[union-attr]
        for group in picture.iter(f"{space}g")
    }
    assert widths == {
        ".run_until_signalled: 100.0%": "1200.0",
        "engine.Engine.settle: 50.0%": "600.0",
        "ledger.Ledger.settle: 12.5%": "150.0",
        "fetcher.<listcomp>: 50.0%": "600.0",
    }


def test_without_a_sample_of_the_delivery_path_the_picture_is_one_box() -> None:
    picture = ElementTree.fromstring(svg(tree([], ".run_until_signalled"), "nothing", frozenset()))
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}rect"))) == 1
