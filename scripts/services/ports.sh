# Free loopback ports for a run folder: picked at its first start, then kept, so that a restarted broker is where it was.

PORTS="KAFKA_PORT KAFKA_CONTROLLER_PORT KAFKA_PROXIED_PORT PG_PORT REGISTRY_PORT S3_PORT PROXY_PORT PROXY_KAFKA_PORT \
PROXY_REGISTRY_PORT PROXY_S3_PORT"

listens() { (exec 3<>"/dev/tcp/$LOCAL/$1") 2>/dev/null; }

# Sets that start at one moment see each other's ports as free. So a port is taken by making a link to the run folder, which
# succeeds once; a link whose folder is gone counts no more.
take_port() {
    local port links
    links=${TMPDIR:-/tmp}/fedilake-ports.$(id -u)
    mkdir -p "$links"
    while :; do
        # Below the ports that the kernel gives to clients and to tests which ask for any.
        port=$((20000 + RANDOM % 12000))
        [ -e "$links/$port" ] || rm -f "$links/$port"
        ln -s "$RUN" "$links/$port" 2>/dev/null && ! listens "$port" && break
    done
    echo "$port"
}

choose_ports() {
    local name
    for name in $PORTS; do echo "$name=$(take_port)"; done >"$RUN/ports.new"
    mv "$RUN/ports.new" "$RUN/ports"
}
