"""Puts configs, tools and the model index into the package's `.mim` folder, where OpenMMLab's `mim`
looks for them; everything else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# Tools that work in a clone only; pyproject.toml leaves out what they import.
OF_A_CHECKOUT = ('setup_env.py', 'demo.py', 'metafiles.py', 'reproduce.py')


class BuildWithMim(build_py):
    """Builds the package, then copies what users run. An editable install copies nothing: its
    configs and tools are those of the checkout."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / 'bootmae_mm' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)  # what an earlier build left behind
        ignored = shutil.ignore_patterns('__pycache__', *OF_A_CHECKOUT)
        for folder in ('configs', 'tools'):
            shutil.copytree(folder, mim / folder, ignore=ignored)
        shutil.copy('model-index.yml', mim)


setup(cmdclass={'build_py': BuildWithMim})
