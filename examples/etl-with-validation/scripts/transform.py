"""Rows as the source has them on standard input; {"good": [...], "bad": [...]} on standard output."""

import json
import sys

COUNTRIES = {"germany": "DE", "france": "FR", "japan": "JP", "de": "DE", "fr": "FR", "jp": "JP"}


def faults(row: dict) -> list[str]:
    """What is wrong with a row."""
    found = []
    if not str(row.get("id", "")).isdigit():
        found.append("id is not a number")
    if str(row.get("email", "")).count("@") != 1:
        found.append("email has not one @")
    if str(row.get("country", "")).strip().lower() not in COUNTRIES:
        found.append(f"country {row.get('country')!r} is not known")
    return found


good, bad = [], []
for row in json.load(sys.stdin):
    wrong = faults(row)
    if wrong:
        bad.append({"row": row, "faults": wrong})
    else:
        country = COUNTRIES[row["country"].strip().lower()]
        good.append({"id": int(row["id"]), "email": row["email"].strip().lower(), "country": country})
json.dump({"good": good, "bad": bad}, sys.stdout)
