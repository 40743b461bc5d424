"""`make demo` does what it says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_demo_shows_a_session_of_an_agent_and_its_result():
    done = subprocess.run(
        [sys.executable, ROOT / "examples/demo/demo.py"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for tool in ("define", "run", "signal", "status", "diagram"):
        assert f"▶ opcode.{tool}" in done.stdout
    assert "suspended: Today's orders come to EUR" in done.stdout
    assert "Look again" in done.stdout
    report = json.loads((ROOT / ".demo/report.json").read_text("utf-8"))
    assert report["verdict"] == "review"
    assert [line["deliverable"] for line in report["lines"]] == [True, True, False]
    log = (ROOT / ".demo/server.log").read_text()
    assert "no work" not in log
    assert "Traceback" not in log
