#!/usr/bin/env bash
# Makes a small repository to try the example with: sample_repo.sh FOLDER
set -euo pipefail

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
git init --quiet --initial-branch main "$1"
cd "$1"
commit() { git commit --quiet --allow-empty --message "$1"; }
commit "first"
git branch merged-long-ago
git branch in-review
git branch develop
git switch --quiet --create experiment
commit "an idea"
git switch --quiet --create half-done main
commit "half of it"
git switch --quiet main
