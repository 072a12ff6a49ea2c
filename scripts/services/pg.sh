# PostgreSQL, where the Schema Registry keeps schemas: its own memory store forgets them when it is killed.

ports_pg() { echo "$PG_PORT"; }

begin_pg() {
    local home=$INSTALLED/pg data=$RUN/data/pg as
    mapfile -t as < <(not_as_root)
    # PG_VERSION is copied with the rest, so the folder is made whole under another name first.
    if [ ! -d "$data" ]; then
        rm -rf "$data.new"
        cp -a "$home/new" "$data.new"
        mv "$data.new" "$data"
    fi
    # A killed postmaster leaves its pid behind, and postgres believes any living process of that number to be it.
    rm -f "$data/postmaster.pid"
    # Without fsync: it must survive the death of its process, not of the machine.
    launch pg "${as[@]}" "$home/bin/postgres" -D "$data" -h "$LOCAL" -p "$PG_PORT" -k '' -c fsync=off \
        -c shared_buffers=16MB -c max_connections=50 -c log_timezone=UTC -c timezone=UTC
}

# A paused postmaster forks nobody who would answer "shall we speak TLS?" with N.
ready_pg() {
    grep -q 'ready to accept connections' "$RUN/pg.log" 2>/dev/null && answers "$PG_PORT" '\0\0\0\010\004\322\026\057' 1 '4e$'
}
