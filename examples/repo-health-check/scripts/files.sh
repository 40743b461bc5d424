#!/usr/bin/env bash
# What a repository's files say: files.sh REPO, {"readme", "license", "tests", "large"} on standard output.
set -euo pipefail

cd "$1"
there() { compgen -G "$1" > /dev/null && printf true || printf false; }
count() { find . -path ./.git -prune -o -type f "$@" -print | wc -l | tr -d ' '; }
printf '{"readme": %s, "license": %s, "tests": %s, "large": %s}\n' \
  "$(there 'README*')" "$(there 'LICENSE*')" "$(count -name '*test*')" "$(count -size +1024k)"
