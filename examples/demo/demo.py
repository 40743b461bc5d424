"""`make demo`: a shop's morning report, from HTTP, a script and a file, in one durable workflow."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from service import shop

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOLDER = ROOT / ".demo"
DATABASE = FOLDER / "opcode.db"
OPCODE = [sys.executable, "-m", "opcode_core"]


def opcode(*arguments: str, shown: bool = True) -> str:
    """Run a command as a person would, showing it; its standard output comes back too."""
    if shown:
        line = f"$ opcode {' '.join(arguments)}"
        print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)
    environment = {**os.environ, "OPCODE_DB_PATH": str(DATABASE)}
    done = subprocess.run(
        [*OPCODE, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if shown:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"demo: `opcode {arguments[0]}` ended with exit code {done.returncode}")
    return done.stdout


def main() -> None:
    """The whole demo."""
    FOLDER.mkdir(exist_ok=True)
    workflow = str((HERE / "workflow.json").relative_to(ROOT))
    os.chdir(ROOT)
    print("A small shop has opened on loopback; its exchange rates fail at first, as services do.")
    with shop() as address:
        opcode("validate", workflow)
        opcode("run", workflow, "-p", f"shop={address}", "-p", f"out={FOLDER}")
    newest = opcode("query", "workflows", "--limit", "1", "--json", shown=False)
    run_id = json.loads(newest)["workflows"][0]["workflow_id"]
    opcode("diagram", run_id)
    opcode("status", run_id)
    report = json.loads((FOLDER / "report.json").read_text("utf-8"))
    assert report["verdict"] == "review", report
    print(f"\nThe report:  {FOLDER / 'report.json'}")
    print(f"The log:     {DATABASE} (SQLite; every step, try and output of every run)")
    print(f"Look again:  OPCODE_DB_PATH={DATABASE} opcode status {run_id}")
    print(f"             OPCODE_DB_PATH={DATABASE} opcode query events --workflow-id {run_id}")


if __name__ == "__main__":
    main()
