#!/bin/sh
# Prints what a station plays, as it sounds, until Ctrl-C.
#
#     ./listen.sh                       everything of the station "study"
#     ./listen.sh night bars chords     bars and chords of the station "night"
#
# PERPETUO_HOST and PERPETUO_PORT say where the server is, LISTEN_PORT which UDP port of this
# machine is free. Needs oscsend and oscdump (liblo-tools).
set -eu
host=${PERPETUO_HOST:-localhost} port=${PERPETUO_PORT:-8771} own=${LISTEN_PORT:-9000}
station=${1:-study}
[ $# -eq 0 ] || shift

types=i
for _ in "$@"; do types=${types}s; done

renew() { # a subscription lasts a minute
    trap 'kill "$!" 2>/dev/null; exit' TERM
    while oscsend "$host" "$port" "/perpetuo/$station/subscribe" "$types" "$own" "$@"; do
        sleep 30 &
        wait $!
    done
}

oscdump -L "$own" &
dumping=$!
renew "$@" &
renewing=$!
leave() {
    trap - EXIT INT TERM
    oscsend "$host" "$port" "/perpetuo/$station/unsubscribe" i "$own" || true
    kill "$renewing" "$dumping" 2>/dev/null || true
}
trap leave EXIT
trap 'exit 0' INT TERM
wait "$dumping"
