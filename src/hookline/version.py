"""The version of this package, the only place that states it, and whether its delivery path is compiled."""

__version__ = "0.1.0"


def is_compiled() -> bool:
    """Whether the delivery path is machine code, as in the wheels that are published, and not interpreted."""
    # Not above, since `hookline --version` imports this module and nothing else.
    from importlib.util import find_spec

    module = find_spec("hookline.engine.engine")
    return module is not None and module.origin is not None and not module.origin.endswith(".py")
