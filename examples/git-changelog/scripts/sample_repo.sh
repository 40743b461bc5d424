#!/usr/bin/env bash
# Makes a small repository to try the example with: sample_repo.sh FOLDER
set -euo pipefail

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
git init --quiet --initial-branch main "$1"
cd "$1"
commit() { git commit --quiet --allow-empty --message "$1"; }
printf '## 1.0.0\n\n- the first\n' > CHANGELOG.md
git add CHANGELOG.md
commit "feat: the first"
git tag v1.0.0
commit "feat(cart): remember the cart"
commit 'fix: a "quoted" title'
commit "feat!: drop the old API"
commit "docs: a typo"
