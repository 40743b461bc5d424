"""Imports the packages before pytest meets the folders of the same names."""

from importlib import import_module
from pathlib import Path

for _folder in sorted(Path(__file__).parent.glob("**/src/opcode_*")):
    if _folder.is_dir() and (_folder / "__init__.py").exists() and ".venv" not in _folder.parts:
        import_module(_folder.name)
