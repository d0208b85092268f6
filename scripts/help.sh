#!/bin/sh
# Lists the targets of the Makefile with the line that stands behind each, in the order of the file.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') cyan=$(printf '\033[36m') plain=$(printf '\033[0m'); fi
printf '%s\n\n' "${bold-}kafka-pattern: one Kafka pattern a service, to run, read, break and trust${plain-}"
sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$(printf '\t')" read -r target text; do
  printf '  %smake %-19s%s %s\n' "${cyan-}" "$target" "${plain-}" "$text"
done
