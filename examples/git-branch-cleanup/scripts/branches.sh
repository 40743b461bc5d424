#!/usr/bin/env bash
# Local branches: branches.sh REPO MAIN, a JSON list of {"name", "merged", "date", "subject"} on standard output.
set -euo pipefail

cd "$1"
merged=$(git branch --merged "$2" --format='%(refname:short)')
git for-each-ref refs/heads --format='%(refname:short)%09%(committerdate:short)%09%(subject)' | MERGED=$merged python3 -c '
import json, os, sys
merged = set(os.environ["MERGED"].split("\n"))
rows = [line.rstrip("\n").split("\t", 2) for line in sys.stdin]
json.dump([{"name": name, "merged": name in merged, "date": date, "subject": subject} for name, date, subject in rows], sys.stdout)
'
