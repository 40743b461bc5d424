"""Keeps the documents true: links lead somewhere, the map names every room, the hooks are those of the code."""

import inspect
import re
import sys
from pathlib import Path

from opcode_core.errors import ErrorCode
from opcode_core.plugins import hookspecs

ROOT = Path(__file__).resolve().parent.parent
_CODE = re.compile(r"`([A-Z]+_(?:ERROR|OPEN|DENIED|FAILED|EXHAUSTED|FOUND))`")
SKIPPED = {".venv", "node_modules", ".git"}


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    faults = [*broken_links(), *missing_rooms(), *wrong_hooks(), *unknown_codes()]
    for fault in faults:
        print(f"docs: {fault}", file=sys.stderr)
    return 1 if faults else 0


def documents() -> list[Path]:
    """All Markdown files of the project."""
    return [
        path for path in sorted(ROOT.rglob("*.md")) if not SKIPPED.intersection(path.relative_to(ROOT).parts)
    ]


def broken_links() -> list[str]:
    """Links to files that are not there."""
    return [
        f"{document.relative_to(ROOT)} links to {target}, which is not there"
        for document in documents()
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]


def missing_rooms() -> list[str]:
    """Packages, and modules of the core, that the map does not name."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    packages = [path.parent.relative_to(ROOT) for path in ROOT.glob("*/pyproject.toml")]
    packages += [path.parent.relative_to(ROOT) for path in ROOT.glob("plugins/*/pyproject.toml")]
    faults = [f"docs/architecture.md does not name {path}/" for path in packages if f"`{path}/`" not in text]
    core = ROOT / "opcode_core/src/opcode_core"
    for module in sorted([*core.glob("*.py"), *core.glob("engine/*.py"), *core.glob("plugins/*.py")]):
        name = module.relative_to(core).as_posix()
        if not module.name.startswith("__") and name not in text and module.name not in text:
            faults.append(f"docs/architecture.md does not name {name}")
    return faults


def wrong_hooks() -> list[str]:
    """Hooks that docs/plugins/README.md lacks or describes with other arguments."""
    text = (ROOT / "docs/plugins/README.md").read_text("utf-8")
    documented = set(re.findall(r"`(opcode_\w+\([\w, ]*\))`", text))
    real = {
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("opcode_")
    }
    faults = [f"docs/plugins/README.md lacks the hook {hook}" for hook in sorted(real - documented)]
    faults += [
        f"docs/plugins/README.md describes {hook}, which does not exist" for hook in sorted(documented - real)
    ]
    faults += [
        f"the hook {name} has no docstring"
        for name, hook in vars(hookspecs).items()
        if name.startswith("opcode_") and not inspect.getdoc(hook)
    ]
    return faults


def unknown_codes() -> list[str]:
    """Error codes in capitals that documents mention and the code does not have."""
    known = {str(code) for code in ErrorCode}
    return [
        f"{document.relative_to(ROOT)} mentions {word}, which is no error code"
        for document in documents()
        for word in sorted(set(_CODE.findall(document.read_text("utf-8"))))
        if word not in known
    ]


if __name__ == "__main__":
    sys.exit(main())
