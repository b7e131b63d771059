#!/bin/sh
# Prints a Chromium for the tests of the console's pages, installed if need be: find_chromium.sh PLAYWRIGHT
#
# The variable CHROMIUM names one; else the system's is taken, then what its package manager or Playwright brings.
set -eu

found() {
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

of_playwright() {
    for candidate in "$HOME"/.cache/ms-playwright/chromium-*/chrome-linux*/chrome \
        "$HOME"/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*; do
        if [ -x "$candidate" ]; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

found && exit 0
of_playwright && exit 0
echo "Looking for a Chromium to test pages with: none is here, so one is installed (some minutes)" >&2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
    found && exit 0
fi
timeout 600 "$1" install chromium >/dev/null 2>&1 || true
of_playwright && exit 0
echo "The tests of the console's pages need Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM." >&2
exit 1
