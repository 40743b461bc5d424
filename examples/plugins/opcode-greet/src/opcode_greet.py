from opcode_core import action, hookimpl


@action("greet.hello", effect="pure")
def hello(name: str, loud: bool = False) -> dict:
    """Greet someone by name."""
    text = f"hello {name}"
    return {"text": text.upper() if loud else text}


@hookimpl
def opcode_actions():
    return [hello]
