#!/usr/bin/env bash
# The commits since a tag: commits.sh REPO TAG, a JSON list of {"id", "subject"} on standard output.
set -euo pipefail

git -C "$1" log --no-merges --format='%h%x09%s' "$2..HEAD" -- | python3 -c '
import json, sys
rows = [line.rstrip("\n").split("\t", 1) for line in sys.stdin]
json.dump([{"id": one, "subject": subject} for one, subject in rows], sys.stdout)
'
