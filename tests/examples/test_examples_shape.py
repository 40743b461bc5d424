"""The examples' files fit together: valid, described, indexed, and everything that there is occurs somewhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opcode_core.cli.example_files import Example, all_examples, examples_folder
from opcode_core.compiler import make_plan
from opcode_core.schemas import Schema

NAMES = """
    content-summarizer multi-source-research iterative-refinement deploy-gate log-anomaly-triage health-check-sweep
    etl-with-validation batch-file-processor sync-drift-detection secret-rotation dependency-audit approval-chain
    free-form-decision escalation-ladder standup-report task-triage meeting-prep-brief knowledge-base-updater
    onboarding-checklist notification-router webhook-handler lead-enrichment two-way-sync form-processor alert-pipeline
    digest-builder auto-responder order-processing invoice-generator price-monitor content-pipeline image-processing
    social-cross-post error-aggregator uptime-monitor backup-verification csv-to-api data-anonymizer report-generator
    onboarding-drip git-changelog git-branch-cleanup version-checker repo-health-check multi-agent-review
""".split()  # noqa: SIM905 - forty-five lines say no more
EXAMPLES = [pytest.param(one, id=one.name) for one in all_examples()]


def test_all_of_them_are_there():
    assert sorted(one.name for one in all_examples()) == sorted(NAMES)


@pytest.mark.parametrize("one", EXAMPLES)
def test_a_workflow_is_valid_without_a_warning(one: Example, plugins):
    for source in [(one.folder / "workflow.json").read_bytes(), *one.children.values()]:
        plan = make_plan(source, plugins.registry())
        assert not [str(warning) for warning in plan.warnings]


@pytest.mark.parametrize("one", EXAMPLES)
def test_inputs_are_described_and_their_defaults_are_allowed(one: Example):
    schema = json.loads((one.folder / "input_schema.json").read_text("utf-8"))
    inputs = one.workflow["inputs"]
    assert list(schema["properties"]) == list(inputs)
    assert not [name for name, prop in schema["properties"].items() if not prop.get("description")]
    assert not [str(issue) for issue in Schema(schema).issues(inputs)]
    for scenario in one.scenarios["scenarios"].values():
        assert not [str(issue) for issue in Schema(schema).issues({**inputs, **scenario.get("params", {})})]


@pytest.mark.parametrize("one", EXAMPLES)
def test_it_says_what_it_is_and_has_an_end_that_is_good_and_one_that_is_not(one: Example):
    about = one.workflow["metadata"]
    assert set(about) == {"title", "category", "summary"}
    readme = (one.folder / "README.md").read_text("utf-8")
    assert readme.startswith(f"# {about['title']}\n")
    assert "**When.**" in readme
    assert "**Who decides.**" in readme
    scenarios = one.scenarios["scenarios"].values()
    assert len(scenarios) >= 3
    assert any(scenario["expect"]["status"] == "completed" for scenario in scenarios)
    text = json.dumps(one.scenarios)
    assert any(trouble in text for trouble in ('"status": 5', '"drop": true', '"failed"'))


@pytest.mark.parametrize("one", EXAMPLES)
def test_what_is_decided_is_a_decision_of_the_workflow(one: Example):
    """An answer to a step that does not exist would never be given."""
    text = "".join((one.folder / name).read_text("utf-8") for name in ("workflow.json",))
    for scenario in one.scenarios["scenarios"].values():
        for step_id in [*scenario.get("answers", {}), *scenario.get("signals", {})]:
            assert f'"id": "{step_id.rpartition(".")[2]}"' in text


def test_the_pages_are_those_that_the_files_make_and_everything_installed_is_shown():
    """`python examples/index.py` mends the first; the second needs a step in one of the examples."""
    done = subprocess.run(
        [sys.executable, examples_folder() / "index.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_stale_page_is_noticed(tmp_path: Path):
    copy = tmp_path / "examples"
    copy.mkdir()
    source = examples_folder()
    (copy / "index.py").write_bytes((source / "index.py").read_bytes())
    (copy / "README.md").write_text("# Examples\n")
    one = copy / "deploy-gate"
    one.mkdir()
    for file in (source / "deploy-gate").iterdir():
        (one / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, copy / "index.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "examples/README.md is stale" in done.stderr
    assert "deploy-gate/README.md is stale" not in done.stderr
    assert "no example shows loop: while" in done.stderr
    assert "no example shows engine: jq" in done.stderr
    assert "no example shows action family: fs" in done.stderr
