"""Records without what names a person: {"records", "tags"} on standard input, a JSON list on standard output."""

import json
import re
import sys

given = json.load(sys.stdin)
names = sorted(
    {word for record in given["records"] for word in record["name"].split()}, key=len, reverse=True
)
mentions = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names) or r"(?!)")


def cleaned(record: dict, tag: str) -> dict:
    """The person becomes a tag, the birthday a year, the note loses every known name and mail address."""
    note = re.sub(r"[\w.+-]+@[\w-]+\.[\w.]+", "[mail]", record.get("note", ""))
    return {
        "person": tag[:16],
        "born": record["born"][:4],
        "city": record["city"],
        "note": mentions.sub("[name]", note),
    }


json.dump([cleaned(*pair) for pair in zip(given["records"], given["tags"], strict=True)], sys.stdout)
