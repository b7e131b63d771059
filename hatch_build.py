"""Compiles the modules of the delivery path with mypyc, for wheels that are built with HATCH_BUILD_HOOKS_ENABLE=1.

They stay plain Python and are what runs from a checkout. A compiled wheel carries both, and Python takes the compiled
one. Nothing is written beside the sources, where it would shadow what is changed there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface):  # type: ignore[type-arg]
    """Adds what the patterns in the setting `compiled` name, without those in `interpreted`, both relative to `src`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is put together; a checkout that is installed in place stays as it is."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="hookline-build-"))
        try:
            built = self._compile(self._folder)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        for path in built:
            build_data["force_include"][str(path)] = str(path.relative_to(self._folder / "built"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was needed to compile."""
        if version != "editable":
            shutil.rmtree(self._folder, ignore_errors=True)

    def _modules(self) -> list[str]:
        """The paths of what is to be compiled, from the folder that we are in."""

        def matching(name: str) -> set[str]:
            return {str(path) for pattern in self.config[name] for path in Path().glob(pattern)}

        return sorted(matching("compiled") - matching("interpreted"))

    def _compile(self, folder: Path) -> list[Path]:
        # They come with the hook alone.
        from mypyc.build import mypycify
        from setuptools import Distribution

        shutil.copytree(Path(self.root, "src"), folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        # How types are checked stands in it.
        shutil.copy(Path(self.root, "pyproject.toml"), folder)
        with contextlib.chdir(folder / "src"):
            extensions = mypycify(
                ["--ignore-missing-imports", *self._modules()],
                opt_level="3",
                debug_level="0",
                group_name="hookline",
                target_dir=str(folder / "c"),
            )
            command = Distribution({"name": "hookline", "ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(folder / "built"), str(folder / "objects")
            command.parallel = os.cpu_count()
            command.ensure_finalized()
            command.run()
        return [path for path in (folder / "built").rglob("*") if path.suffix in {".so", ".pyd"}]
