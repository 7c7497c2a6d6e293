"""Build step: puts the ``.pth`` file that finds Datumaro into the wheel; all else is setup.cfg."""

from __future__ import annotations

import os

from setuptools import setup
from setuptools.command.build_py import build_py

PTH = "datumaro_openimages_plugin.pth"


class BuildWithPth(build_py):
    """Copies the ``.pth`` file beside the package, where it lands in site-packages."""

    def run(self) -> None:
        """Builds the package, then adds the file."""
        super().run()
        self.copy_file(PTH, os.path.join(self.build_lib, PTH), preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """The built files, the ``.pth`` among them."""
        return [*super().get_outputs(include_bytecode), os.path.join(self.build_lib, PTH)]


setup(cmdclass={"build_py": BuildWithPth})
