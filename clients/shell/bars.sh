#!/bin/sh
# Prints the messages of a station from the WebSocket, one line of JSON each: bars seconds before
# they sound, changes of controls, stops. Until Ctrl-C.
#
#     ./bars.sh                         the station "study" of this machine
#     ./bars.sh night ws://radio.example:8770/ws
#     ./bars.sh | jq -r 'select(.type == "bar") | .bar | "\(.index) \(.key) \(.chords)"'
#
# Needs websocat, or Python's websockets (which every installation of perpetuo has).
set -eu
station=${1:-study} address=${2:-ws://127.0.0.1:8770/ws}

# What is said, in a pipe that stays open: an end of the input would end the connection.
folder=$(mktemp -d)
mkfifo "$folder/said"
exec 3<>"$folder/said"
rm -r "$folder"
echo '{"type":"hello","protocol":1}' >&3
echo '{"type":"listen","stream":"'"$station"'"}' >&3

if command -v websocat >/dev/null; then
    exec websocat "$address" <&3
else
    # Made for terminals: what it prints around the messages is taken away.
    python3 -u -m websockets "$address" <&3 2>/dev/null |
        sed -u -n -e 's/^[^{]*< \({.*\)$/\1/p' -e '/^Failed to connect/w /dev/stderr'
fi
