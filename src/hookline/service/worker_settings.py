"""The settings of one worker: those of all, but for what two processes cannot both have."""

from __future__ import annotations

from hookline.errors import SettingsError
from hookline.settings.tree import Settings

_LONGEST_MEMBER_NAME = 249


def worker_settings(settings: Settings, number: int) -> Settings:
    """The settings of worker `number`: a static name of its own if the group has static members.

    The supervisor serves the console for all.
    """
    kafka = settings.kafka
    if kafka.group_instance_id is not None:
        kafka = kafka.model_copy(update={"group_instance_id": _member_name(kafka.group_instance_id, number)})
    return settings.model_copy(update={"kafka": kafka})


def check_member_names(settings: Settings, workers: int) -> None:
    """Raise `SettingsError` when the static name has no room for the workers' numbers."""
    name = settings.kafka.group_instance_id
    if name is not None and len(_member_name(name, workers - 1)) > _LONGEST_MEMBER_NAME:
        raise SettingsError(
            f"kafka.group_instance_id: with {workers} workers each gets the name with its number behind it, and that "
            f"is longer than {_LONGEST_MEMBER_NAME} characters. Use a shorter name."
        )


def _member_name(name: str, number: int) -> str:
    return f"{name}-{number}"
