#!/usr/bin/env bash
# Unpacks an archive into an empty folder and lists it: restore.sh ARCHIVE FOLDER, {"files"} on standard output.
set -euo pipefail

archive=$1 folder=$2
rm -rf -- "$folder"
mkdir -p -- "$folder"
tar --extract --file "$archive" --directory "$folder" --no-same-owner
cd -- "$folder"
find . -type f -printf '%P\n' | sort | awk 'BEGIN { printf "{\"files\": [" } { printf "%s\"%s\"", (NR > 1 ? ", " : ""), $0 } END { print "]}" }'
