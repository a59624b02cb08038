#!/bin/sh
# Moves a control from one value to another, in so many seconds.
#
#     ./ramp.sh density 2 8 120         denser and denser over two minutes
#     STATION=night ./ramp.sh tempo 90 60 30
#
# What is turned is heard from the next bar line on. PERPETUO_HOST and PERPETUO_PORT say where the
# server is. Needs oscsend (liblo-tools).
set -eu
if [ $# -ne 4 ]; then
    echo "usage: $0 CONTROL FROM TO SECONDS" >&2
    exit 2
fi
host=${PERPETUO_HOST:-localhost} port=${PERPETUO_PORT:-8771} station=${STATION:-study}

step=0
while [ "$step" -le "$4" ]; do
    value=$(awk -v from="$2" -v to="$3" -v step="$step" -v steps="$4" \
        'BEGIN { printf "%.4f", steps ? from + (to - from) * step / steps : to }')
    oscsend "$host" "$port" "/perpetuo/$station/$1" f "$value"
    step=$((step + 1))
    [ "$step" -gt "$4" ] || sleep 1
done
