"""The layer of environment variables: `HOOKLINE_KAFKA__GROUP_ID` sets `kafka.group_id`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hookline.settings.assigned import Assigned, LayerValues
from hookline.settings.leaves import ENVIRONMENT_PREFIX, leaves
from hookline.settings.problems import Problem, did_you_mean, printable_name
from hookline.settings.provenance import Layer, Origin
from hookline.settings.text_values import value_of_text

NOT_SETTINGS = frozenset({"HOOKLINE_CONFIG", "HOOKLINE_DEBUG", "HOOKLINE_URL"})
"""Variables for the command itself: the settings file, and tracebacks."""

# Kubernetes sets these in every pod of a namespace that has a service named hookline or hookline-…, see
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK = re.compile(
    r"HOOKLINE(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)


def read_environment_layer(environment: Mapping[str, str]) -> LayerValues:
    """What the environment assigns. An empty variable is as good as none; an unknown one is a problem."""
    layer = LayerValues()
    by_name = {leaf.environment_name: leaf for leaf in leaves().values()}
    for name in sorted(environment):
        text = environment[name]
        if not name.upper().startswith(ENVIRONMENT_PREFIX) or name in NOT_SETTINGS or text == "":
            continue
        origin = Origin(Layer.ENVIRONMENT, printable_name(name))
        leaf = by_name.get(name)
        if leaf is None:
            if not _SERVICE_LINK.fullmatch(name):
                layer.problems.append(Problem(origin, "", _unknown(name, [*by_name, *NOT_SETTINGS])))
            continue
        try:
            layer.assigned[leaf.key] = Assigned(value_of_text(leaf, text), origin)
        except ValueError as error:
            layer.problems.append(Problem(origin, leaf.key, str(error)))
    return layer


def _unknown(name: str, known: list[str]) -> str:
    for leaf in leaves().values():
        if leaf.container == "mapping" and name.upper().startswith(f"{leaf.environment_name}__"):
            return f"unknown environment variable; set all of it as JSON with {leaf.environment_name}"
    meant = did_you_mean(name[len(ENVIRONMENT_PREFIX) :], [each.removeprefix(ENVIRONMENT_PREFIX) for each in known])
    if meant:
        return f"unknown environment variable; did you mean {ENVIRONMENT_PREFIX}{meant}?"
    return "unknown environment variable; kafka.group_id, for example, is HOOKLINE_KAFKA__GROUP_ID"
