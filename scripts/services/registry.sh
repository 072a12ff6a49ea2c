# A Schema Registry with Confluent's API. Stores schemas in PostgreSQL if the set has it, else in memory.

ports_registry() { echo "$REGISTRY_PORT"; }

begin_registry() {
    local storage="{type: memory}"
    case " $NAMES " in *" pg "*)
        waitready pg || return 1
        # An empty password would swallow ssl_mode in the registry's connection string.
        storage="{type: postgresql, postgresql: {host: $LOCAL, port: $PG_PORT, database: postgres, user: sr, password: sr, \
ssl_mode: disable, max_open_conns: 25, max_idle_conns: 5, conn_max_lifetime: 300}}"
        ;;
    esac
    cat >"$RUN/registry.yaml" <<Y
server: {host: $LOCAL, port: $REGISTRY_PORT, read_timeout: 30, write_timeout: 30}
storage: $storage
compatibility: {default_level: BACKWARD}
logging: {level: info, format: json}
security: {auth: {enabled: false}}
Y
    launch registry "$INSTALLED/registry/schema-registry" -config "$RUN/registry.yaml"
}

ready_registry() { http "http://$LOCAL:$REGISTRY_PORT/subjects" >/dev/null; }
