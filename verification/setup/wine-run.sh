#!/bin/sh
# wine-run.sh - runs a Windows program under the Wine that `wine-setup.sh` has set up. It is the runner that cargo is given.
#
#   wine-run.sh [--keep] PROGRAM.exe [argument …]
#
# MINIMIO_WINE is the Wine, wine10 (default) or wine8; MINIMIO_WINE_LIMIT how many seconds the program may take (default:
# 300). One that takes longer is ended, and the status is 137.
#
# Every program has a Wine to itself, server included, in which it sees no processes but those that it has started. With
# it they all end, by the kernel's hand: even one that hangs because its heap is damaged. What it has changed in the
# registry is lost then, unless --keep is said. Needs root.
#
# WINEDEBUG=+winsock shows what becomes of sockets; WINEDEBUG=warn+heap tells of memory that is used after it was freed.

set -eu
if [ "${1:-}" != --inside ]; then
    exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
keep=
if [ "${1:-}" = --keep ]; then
    keep=yes
    shift
fi

wine=${MINIMIO_WINE:-wine10}
limit=${MINIMIO_WINE_LIMIT:-300}
lab=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/windows
export WINEPREFIX="$lab/prefix-$wine" WINEDEBUG="${WINEDEBUG:--all}"
# No .NET, no HTML, nothing written to a desktop's menus.
export WINEDLLOVERRIDES="${WINEDLLOVERRIDES:-mscoree,mshtml,winemenubuilder.exe,winedbg.exe=}"
unset DISPLAY WAYLAND_DISPLAY WINELOADER WINESERVER

# The folder of the server's sockets, for nobody else to see. Debian's Wine keeps its name in this file.
if [ -e "$WINEPREFIX/wineserver" ]; then
    sockets=/tmp/$(cat "$WINEPREFIX/wineserver")
    mkdir -p -m 700 "$sockets"
    mount -t tmpfs -o mode=700 wine "$sockets"
fi
# Debian 13's programs and libraries; every other path stays as it is.
if [ "$wine" = wine10 ]; then
    mount --bind "$lab/trixie/usr" /usr
fi
# Debian's own way to start the server lets it end with its last client, which races with the next one.
/usr/lib/wine/wineserver64 -p

# This shell is the first process of a namespace: it hears only signals that it traps, and only while it waits. When it
# ends, the kernel ends the rest.
trap 'exit 143' HUP INT TERM
exec 3<&0
timeout --signal=KILL "$limit" /usr/lib/wine/wine64 "$@" <&3 3<&- &
status=0
wait $! 2>/dev/null || status=$?
if [ "$status" = 137 ]; then
    echo "wine-run.sh: ended after $limit s: $*" >&2
fi
if [ -n "$keep" ]; then
    /usr/lib/wine/wineserver64 -k -w
fi
exit "$status"
