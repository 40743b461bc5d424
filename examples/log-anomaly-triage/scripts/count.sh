#!/usr/bin/env bash
# Counts the lines of level ERROR by service: log on standard input, a JSON list on standard output.
set -euo pipefail

awk '
  $3 == "ERROR" {
    count[$2]++
    if (!($2 in sample)) {
      text = $0
      sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", text)
      gsub(/[\\"]/, "\\\\&", text)
      gsub(/[[:cntrl:]]/, " ", text)
      sample[$2] = text
      order[++services] = $2
    }
  }
  END {
    printf "["
    for (i = 1; i <= services; i++)
      printf "%s{\"service\": \"%s\", \"errors\": %d, \"sample\": \"%s\"}", (i > 1 ? ", " : ""), order[i], count[order[i]], sample[order[i]]
    print "]"
  }
'
