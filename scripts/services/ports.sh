# Loopback ports of a run folder, chosen at its first start and kept, so that restarted services keep their addresses.

PORTS="KAFKA_PORT KAFKA_CONTROLLER_PORT KAFKA_PROXIED_PORT PG_PORT REGISTRY_PORT S3_PORT PROXY_PORT PROXY_KAFKA_PORT \
PROXY_REGISTRY_PORT PROXY_S3_PORT"

listens() { (exec 3<>"/dev/tcp/$LOCAL/$1") 2>/dev/null; }

# Sets that start at the same moment would see each other's ports as free, so a port is taken by making a link to the run folder,
# which succeeds only once. A link to a folder that is gone does not count.
take_port() {
    local port links
    links=${TMPDIR:-/tmp}/fedilake-ports.$(id -u)
    mkdir -p "$links"
    while :; do
        # Below the range from which the kernel gives ports to clients and to tests.
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
