"""What to write where: {"crm": [...], "shop": [...]} on standard input, {"writes", "conflicts"} on standard output."""

import json
import sys

sides = json.load(sys.stdin)
crm = {item["id"]: item["value"] for item in sides["crm"]}
shop = {item["id"]: item["value"] for item in sides["shop"]}
both = sorted(crm.keys() & shop.keys())
writes = [{"to": "shop", "id": key, "value": value} for key, value in sorted(crm.items()) if key not in shop]
writes += [{"to": "crm", "id": key, "value": value} for key, value in sorted(shop.items()) if key not in crm]
conflicts = [{"id": key, "crm": crm[key], "shop": shop[key]} for key in both if crm[key] != shop[key]]
json.dump({"writes": writes, "conflicts": conflicts}, sys.stdout)
