"""`opcode.define`: store a workflow as the next version of a template."""

from typing import Any

from opcode_server.callers import AUTHOR
from opcode_server.tools.schemas import AGENT, NAME, OBJECT, TEXT, arguments, described, result
from opcode_server.tools.tool import Call, Tool


async def define(call: Call) -> dict[str, Any]:
    """Check and store it."""
    given = call.arguments
    template, warnings = await call.house.engine.define(
        given["name"],
        given["definition"],
        agent_id=call.agent_id,
        description=given.get("description", ""),
        input_schema=given.get("input_schema"),
        output_schema=given.get("output_schema"),
        triggers=given.get("triggers"),
    )
    return {
        "name": template.name,
        "version": f"v{template.version}",
        "warnings": [warning.to_dict() for warning in warnings],
    }


TOOL = Tool(
    name="opcode.define",
    title="Define a workflow",
    role=AUTHOR,
    perform=define,
    about=lambda arguments, answer: f"{arguments.get('name', '')} {answer.get('version', '')}".strip(),
    input_schema=arguments(
        {
            "name": described(NAME, "The template's name; the same name again stores its next version."),
            "definition": described(OBJECT, 'The workflow: {"steps": [...]}, as described above.'),
            "agent_id": AGENT,
            "description": described(TEXT, "What the workflow is for, for those who look for one."),
            "input_schema": described(
                OBJECT,
                "JSON Schema of the params; its defaults are filled in, and runs are checked against it.",
            ),
            "output_schema": described(OBJECT, "JSON Schema of what a run gives, for those who use it."),
            "triggers": described(
                OBJECT,
                'What starts it by itself, as {"cron": {"expression": "0 9 * * 1", "timezone": "UTC"}}.',
            ),
        },
        ["name", "definition", "agent_id"],
    ),
    output_schema=result(
        {
            "name": TEXT,
            "version": described(TEXT, "v1, v2, …"),
            "warnings": {
                "type": "array",
                "items": result({"path": TEXT, "message": TEXT, "hint": TEXT, "code": TEXT}),
            },
        }
    ),
)
