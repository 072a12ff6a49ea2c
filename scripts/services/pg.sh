# PostgreSQL, which stores the Schema Registry's schemas: its memory store loses them when it is killed.

ports_pg() { echo "$PG_PORT"; }

begin_pg() {
    local home=$INSTALLED/pg data=$RUN/data/pg as
    mapfile -t as < <(not_as_root)
    # Copied under another name first, so that an interrupted copy is not taken for a database.
    if [ ! -d "$data" ]; then
        rm -rf "$data.new"
        cp -a "$home/new" "$data.new"
        mv "$data.new" "$data"
    fi
    # A killed postmaster leaves a pid file, and postgres takes any process with that pid for the postmaster.
    rm -f "$data/postmaster.pid"
    # Without fsync: the data must survive a killed process, not a power cut.
    launch pg "${as[@]}" "$home/bin/postgres" -D "$data" -h "$LOCAL" -p "$PG_PORT" -k '' -c fsync=off \
        -c shared_buffers=16MB -c max_connections=50 -c log_timezone=UTC -c timezone=UTC
}

# Asks for TLS and expects the answer N, which a paused postmaster does not give.
ready_pg() {
    grep -q 'ready to accept connections' "$RUN/pg.log" 2>/dev/null && answers "$PG_PORT" '\0\0\0\010\004\322\026\057' 1 '4e$'
}
