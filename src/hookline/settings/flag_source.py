"""The layer of command line flags: `--kafka.group_id` sets `kafka.group_id`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hookline.settings.assigned import Assigned, LayerValues
from hookline.settings.leaves import leaves
from hookline.settings.problems import Problem
from hookline.settings.provenance import Layer, Origin
from hookline.settings.text_values import value_of_text


def read_flag_layer(flags: Mapping[str, Sequence[str]]) -> LayerValues:
    """What flags assign: by the settings' keys, the texts given, of which a list takes all and others the last."""
    layer = LayerValues()
    for key, texts in flags.items():
        leaf = leaves()[key]
        origin = Origin(Layer.FLAG, leaf.flag)
        try:
            values = [value_of_text(leaf, text) for text in texts]
        except ValueError as error:
            layer.problems.append(Problem(origin, key, str(error)))
            continue
        joined = [entry for value in values for entry in value] if leaf.container == "list" else values[-1]
        layer.assigned[key] = Assigned(joined, origin)
    return layer
