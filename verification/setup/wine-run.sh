#!/bin/sh
# wine-run.sh - runs a Windows program under the Wine that `wine-setup.sh` has installed. cargo uses it as the target's runner.
#
#   wine-run.sh [--keep] PROGRAM.exe [argument …]
#
# MINIMIO_WINE_LIMIT: the time limit in seconds (default: 300). A program that takes longer is killed, and the status is 137.
#
# Every program has a Wine of its own, including the server, in a PID namespace of its own. When the program ends, the
# kernel kills all processes that the program has started, even one that hangs because its heap is damaged. Changes of
# the Windows registry are then lost, except with --keep. Needs root.
#
# WINEDEBUG=+winsock traces socket calls; WINEDEBUG=warn+heap reports memory that is used after it was freed.

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

limit=${MINIMIO_WINE_LIMIT:-300}
cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/windows
export WINEPREFIX="$cache/prefix-wine10-wow64" WINEDEBUG="${WINEDEBUG:--all}"
# No .NET, no HTML, no entries in a desktop's menus.
export WINEDLLOVERRIDES="${WINEDLLOVERRIDES:-mscoree,mshtml,winemenubuilder.exe,winedbg.exe=}"
unset DISPLAY WAYLAND_DISPLAY WINELOADER WINESERVER

# Mount a private folder for the server's sockets. Debian's Wine keeps that folder's name in `$WINEPREFIX/wineserver`.
if [ -e "$WINEPREFIX/wineserver" ]; then
    sockets=/tmp/$(cat "$WINEPREFIX/wineserver")
    mkdir -p -m 700 "$sockets"
    mount -t tmpfs -o mode=700 wine "$sockets"
fi
# Use Debian 13's programs and libraries; every other path stays the same.
mount --bind "$cache/trixie/usr" /usr
# Debian's script `wineserver` passes `-p0`: the server then exits with its last client, and the next client may find a
# server that is about to exit. `-p` alone keeps the server running.
/usr/lib/wine/wineserver64 -p

# This shell is the first process of its PID namespace, so it receives only signals that it traps, and only during `wait`. When
# this shell ends, the kernel kills all other processes of the namespace.
trap 'exit 143' HUP INT TERM
exec 3<&0
timeout --signal=KILL "$limit" /usr/lib/wine/wine64 "$@" <&3 3<&- &
status=0
wait $! 2>/dev/null || status=$?
if [ "$status" = 137 ]; then
    echo "wine-run.sh: killed after $limit s: $*" >&2
fi
if [ -n "$keep" ]; then
    /usr/lib/wine/wineserver64 -k -w
fi
exit "$status"
