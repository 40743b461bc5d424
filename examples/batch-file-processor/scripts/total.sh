#!/usr/bin/env bash
# Sums the column "amount" of a CSV file: total.sh FILE, {"rows", "total"} on standard output.
set -euo pipefail

awk -F, '
  NR == 1 {
    for (i = 1; i <= NF; i++) if ($i == "amount") column = i
    if (!column) { print "no column amount" > "/dev/stderr"; exit 2 }
    next
  }
  $column !~ /^-?[0-9]+(\.[0-9]+)?$/ { print "line " NR ": \"" $column "\" is no amount" > "/dev/stderr"; bad = 1; exit 3 }
  { total += $column; rows++ }
  END { if (column && !bad) printf "{\"rows\": %d, \"total\": %.2f}\n", rows, total }
' "$1"
