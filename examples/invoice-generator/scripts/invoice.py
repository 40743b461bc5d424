"""An invoice from hours: JSON on standard input and on standard output, money in cents."""

import json
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal


def cents(amount: Decimal) -> int:
    """Rounded as invoices are: halves up."""
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


def euros(amount: int) -> str:
    """As people write it."""
    return f"{amount // 100:,}.{amount % 100:02} EUR"


given = json.load(sys.stdin, parse_float=Decimal)
by_project: dict[str, Decimal] = defaultdict(Decimal)
for entry in given["hours"]:
    by_project[entry["project"]] += Decimal(entry["hours"])
if not by_project:
    sys.exit(f"there are no hours in {given['month']}")
rate = Decimal(given["customer"]["rate"])
lines = [
    {"project": name, "hours": str(hours), "cents": cents(hours * rate)}
    for name, hours in sorted(by_project.items())
]
net = sum(line["cents"] for line in lines)
tax = cents(Decimal(net) / 100 * Decimal(given["tax"]))
text = "\n".join(
    [
        given["customer"]["name"],
        "",
        *(f"{line['project']:<20}{line['hours']:>8} h{euros(line['cents']):>16}" for line in lines),
        f"{'net':<30}{euros(net):>16}",
        f"{'tax':<30}{euros(tax):>16}",
        f"{'total':<30}{euros(net + tax):>16}",
        "",
    ]
)
answer = {
    "lines": lines,
    "net_cents": net,
    "tax_cents": tax,
    "total_cents": net + tax,
    "total": euros(net + tax),
    "text": text,
}
json.dump(answer, sys.stdout)
