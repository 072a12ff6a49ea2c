# toxiproxy, a network proxy in front of the broker, the registry and the store. Tests cut and slow connections through it; a
# restart removes these faults.

ports_proxy() { echo "$PROXY_PORT $PROXY_KAFKA_PORT $PROXY_REGISTRY_PORT $PROXY_S3_PORT"; }

begin_proxy() {
    cat >"$RUN/proxy.json" <<J
[{"name": "kafka", "listen": "$LOCAL:$PROXY_KAFKA_PORT", "upstream": "$LOCAL:$KAFKA_PROXIED_PORT", "enabled": true},
 {"name": "registry", "listen": "$LOCAL:$PROXY_REGISTRY_PORT", "upstream": "$LOCAL:$REGISTRY_PORT", "enabled": true},
 {"name": "s3", "listen": "$LOCAL:$PROXY_S3_PORT", "upstream": "$LOCAL:$S3_PORT", "enabled": true}]
J
    launch proxy "$INSTALLED/proxy/server" -host "$LOCAL" -port "$PROXY_PORT" -config "$RUN/proxy.json"
}

ready_proxy() { http "http://$LOCAL:$PROXY_PORT/version" >/dev/null; }
