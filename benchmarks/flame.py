"""Flame graphs: a box a function, as wide as its share of the samples, on top of the one that called it."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field

_WIDTH, _ROW, _TOP = 1200.0, 17, 30
_NARROWEST = 0.5
_CHARACTER = 6.3
_OURS = ("#e8853a", "#e99b52")
_OTHERS = ("#7a9cc6", "#8fb0d6")


@dataclass
class Node:
    """A function as called from one place: its samples, those of what it calls included."""

    name: str
    samples: int = 0
    below: dict[str, Node] = field(default_factory=dict)

    @property
    def own(self) -> int:
        """The samples of the function itself."""
        return self.samples - sum(node.samples for node in self.below.values())

    @property
    def depth(self) -> int:
        """How many rows it takes."""
        return 1 + max((node.depth for node in self.below.values()), default=0)


def tree(lines: Iterable[str], root: str) -> Node:
    """The calls that lines of `outermost;...;innermost COUNT` tell of, from the function on whose name ends in `root`.

    Stacks without it, as those of the start, are left out.
    """
    top = Node(root)
    for line in lines:
        stack, _, count = line.rpartition(" ")
        names = stack.split(";")
        start = next((index for index, name in enumerate(names) if name.endswith(root)), None)
        if start is None:
            continue
        node = top
        node.samples += int(count)
        for name in names[start + 1 :]:
            node = node.below.setdefault(name, Node(name))
            node.samples += int(count)
    return top


def shares(top: Node) -> list[tuple[str, float]]:
    """What share of the samples was spent in each function itself, the largest first."""
    own: dict[str, int] = {}
    nodes = [top]
    while nodes:
        node = nodes.pop()
        own[node.name] = own.get(node.name, 0) + node.own
        nodes.extend(node.below.values())
    total = max(top.samples, 1)
    return sorted(((name, count / total) for name, count in own.items()), key=lambda pair: -pair[1])


def svg(top: Node, title: str, ours: frozenset[str]) -> str:
    """The graph as a picture; functions of modules that are in `ours` have another colour."""
    height = _TOP + _ROW * top.depth + 4
    boxes: list[str] = []

    def draw(node: Node, left: float, row: int) -> None:
        width = _WIDTH * node.samples / max(top.samples, 1)
        if width < _NARROWEST:
            return
        colours = _OURS if node.name.partition(".")[0] in ours else _OTHERS
        label = html.escape(node.name[: int((width - 4) / _CHARACTER)]) if width > 4 * _CHARACTER else ""
        y = _TOP + row * _ROW
        boxes.append(
            f"<g><title>{html.escape(node.name)}: {node.samples / max(top.samples, 1):.1%}</title>"
            f'<rect x="{left:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 1}" fill="{colours[row % 2]}"/>'
            f'<text x="{left + 2:.1f}" y="{y + 12}">{label}</text></g>'
        )
        for below in sorted(node.below.values(), key=lambda each: each.name):
            draw(below, left, row + 1)
            left += _WIDTH * below.samples / max(top.samples, 1)

    draw(top, 0.0, 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" height="{height}" '
        f'viewBox="0 0 {_WIDTH:.0f} {height}" font-family="monospace" font-size="10.5">'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="8" y="19" font-size="14">{html.escape(title)}</text>{"".join(boxes)}</svg>\n'
    )
