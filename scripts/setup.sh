#!/bin/sh
# Makes a fresh clone runnable, then runs what it is given with the Node that the workspace brings:
#
#     scripts/setup.sh scripts/up.ts pubsub
#     scripts/setup.sh --with bench bench/src/run.ts      (bench/ is a workspace of its own)
#
# What must be there is Node >= 20 with npm, whose npx fetches pnpm; pnpm fetches all else, Node 24 included. When
# node_modules is what pnpm-lock.yaml says, all this takes milliseconds.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*"; }
stop() { printf '%s\n' "$*" >&2; exit 1; }

require_npm() {
  install='install Node 20 or newer, e.g. from nodejs.org, or with `apt install nodejs npm` (Debian 13, Ubuntu) or `brew install node` (macOS).'
  command -v node >/dev/null || stop "Node is needed to begin with and \`node\` was not found: $install"
  version=$(node --version)
  major=${version#v}
  [ "${major%%.*}" -ge 20 ] || stop "Node 20 or newer is needed to begin with, but \`node\` is $version: $install"
  command -v npx >/dev/null || stop 'npm is needed to begin with and `npx` was not found: install npm, e.g. with `apt install npm`.'
}

# The version of pnpm is the one of package.json.
pnpm_package() { sed -n 's/.*"packageManager": *"\(pnpm@[^"]*\)".*/\1/p' package.json; }

# pnpm's own account of what it does, less what a person cannot use: a line that is overwritten on a terminal.
show_progress() {
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    case $line in
      Progress:*) text=${line#Progress: } ;;
      *'node preinstall$'*) text='fetching Node 24' ;;
      *) continue ;;
    esac
    if [ -t 1 ]; then printf '\r\033[K  %s' "$text"; else say "  $text"; fi
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
}

install_packages() { # DIRECTORY WHAT
  require_npm
  pnpm=$(pnpm_package)
  say "Setting up: $2, by npx $pnpm (once)"
  started=$(date +%s)
  log=$(mktemp)
  status=$(mktemp)
  # npm's warnings are about settings of its own; errors still come through.
  { npm_config_loglevel=error npx --yes "$pnpm" --dir "$1" install --frozen-lockfile --reporter=append-only </dev/null 2>&1
    echo $? >"$status"; } | show_progress
  if [ "$(cat "$status")" != 0 ] || [ ! -d "$1/node_modules" ]; then
    tail -n 20 "$log" >&2
    stop 'The packages could not be installed; the end of the output is above. Is the network there? Trying again is safe.'
  fi
  say "Set up after $(($(date +%s) - started)) s"
  rm -f "$log" "$status"
}

# pnpm leaves a copy of the lockfile there when it has installed everything.
is_installed() { cmp -s "$1/pnpm-lock.yaml" "$1/node_modules/.pnpm/lock.yaml"; } # DIRECTORY

if [ ! -x node_modules/.bin/node ] || ! is_installed .; then
  install_packages . 'Node 24 and the packages of this repository, about 400 MB'
fi
if [ "${1:-}" = --with ]; then
  is_installed "$2" || install_packages "$2" "the packages of $2"
  shift 2
fi
# Compiled code is kept for the next start, of the services too: that takes half the time.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/compiled}"
[ $# = 0 ] || exec node_modules/.bin/node "$@"
