"""From CSV on standard input to a JSON list of rows; prices become numbers."""

import csv
import json
import sys

reader = csv.DictReader(sys.stdin)
if not {"sku", "name", "price"} <= set(reader.fieldnames or ()):
    sys.exit(f"the columns are {reader.fieldnames}; sku, name and price are needed")
rows = []
for number, row in enumerate(reader, 2):
    try:
        rows.append({"sku": row["sku"].strip(), "name": row["name"].strip(), "price": float(row["price"])})
    except ValueError:
        sys.exit(f"line {number}: {row['price']!r} is no price")
json.dump(rows, sys.stdout)
