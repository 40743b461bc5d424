"""A plugin to begin with: a small complete package, written from the texts in `skeletons/`."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

from opcode_core.cli.problems import Usage

KINDS = {
    "action": "Actions",
    "command": "A command",
    "engine": "An expression engine",
    "isolator": "An isolator of commands",
    "observer": "An observer of events",
    "provider": "A provider of actions that come and go",
    "renderer": "A diagram renderer",
    "service": "A service beside the engine",
    "vault": "A vault of secrets",
}


def write(name: str, kind: str, folder: Path) -> tuple[Path, list[Path]]:
    """Write the package into a new directory of `folder`; gives that, and its files.

    Raises:
        Usage: for a name that no package can have, or when there is something of that name.
    """
    short = name.lower().removeprefix("opcode-").replace("_", "-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", short) or len(short) > 50:
        raise Usage(f"{name!r} cannot be a plugin's name; use letters, digits and dashes, as in 'my-tools'")
    root = folder / f"opcode-{short}"
    if root.exists():
        raise Usage(f"{root} is there already; choose another name, or another --folder")
    word = short.replace("-", "_")
    texts = {
        "name": short,
        "word": word,
        "upper": word.upper(),
        "dist": f"opcode-{short}",
        "module": f"opcode_{word}",
        "about": KINDS[kind],
    }
    written = {root / path: Template(text).substitute(texts) for path, text in _texts(kind, word).items()}
    try:
        for path, text in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Usage(f"{root} cannot be written: {error.strerror}") from None
    return root, list(written)


def _texts(kind: str, word: str) -> dict[str, str]:
    source = f"src/opcode_{word}"
    return {
        "pyproject.toml": _read("pyproject.toml"),
        "README.md": _read("README.md"),
        f"{source}/__init__.py": _read("init.py"),
        f"{source}/py.typed": "",
        f"{source}/plugin.py": _read(f"{kind}.plugin"),
        f"{source}/{kind}.py": _read(f"{kind}.py"),
        f"tests/test_{word}.py": _read(f"{kind}.test") + _read("found.py"),
    }


def _read(name: str) -> str:
    return (files("opcode_core.cli") / "skeletons" / f"{name}.txt").read_text("utf-8")
