#!/bin/bash
# The HEALTHCHECK of every service's image: is its /readyz 200? With bash's own sockets, because a Node process for each check
# would cost more than an idle service does. And every check costs the engine a process in the container: so the first one
# waits until the service is ready, which is told at once, and a later one begins with a long pause. (Docker Engine 25
# has start_interval for this; older ones refuse it.) The marker is in memory that is new whenever the container starts.
readonly marker=/dev/shm/was-ready pause=25

is_ready() {
  exec 3<>"/dev/tcp/127.0.0.1/$PROBE_PORT" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 || return
  read -r _ status _ <&3 && [ "$status" = 200 ]
}

[ ! -e "$marker" ] || sleep "$pause"
until (is_ready) 2>/dev/null; do sleep 0.2; done
touch "$marker"
