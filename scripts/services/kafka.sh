# Apache Kafka, one node that is broker and controller, with three listeners: the broker's, the controller's, and one that is
# advertised behind the network proxy, so that a client which came through the proxy stays behind it.
#
# If FEDILAKE_SERVICES_SECURE is set at a set's first start, secure.sh adds listeners with TLS and SASL, and access rules.

ports_kafka() {
    echo "$KAFKA_PORT $KAFKA_CONTROLLER_PORT $KAFKA_PROXIED_PORT"
    ! is_secure || (. "$RUN/secure/ports" && echo "$KAFKA_TLS_PORT $KAFKA_SASL_PORT")
}

begin_kafka() {
    local home=$INSTALLED/kafka data=$RUN/data/kafka
    if [ ! -f "$data/meta.properties" ]; then
        rm -rf "$data"
        cp -r "$home/new" "$data"
        # A new cluster id: clients of another set must not take this broker for theirs.
        sed -i "s/^cluster.id=.*/cluster.id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AA' | tr -d '=')/" "$data/meta.properties"
    fi
    [ -z "${FEDILAKE_SERVICES_SECURE:-}" ] || is_secure || make_secure || return 1
    # Times for tests: a silent member leaves after 2 s, a killed broker is back within 7 s, deleted and expired segments are
    # removed within 2 s.
    cat >"$RUN/kafka.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$LOCAL:$KAFKA_CONTROLLER_PORT
listeners=PLAINTEXT://$LOCAL:$KAFKA_PORT,CONTROLLER://$LOCAL:$KAFKA_CONTROLLER_PORT,PROXIED://$LOCAL:$KAFKA_PROXIED_PORT
advertised.listeners=PLAINTEXT://$LOCAL:$KAFKA_PORT,PROXIED://$LOCAL:$PROXY_KAFKA_PORT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=300
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=16777216
P
    ! is_secure || secure_kafka "$home" "$data" || return 1
    # The archive holds a relative class path.
    launch kafka env --chdir="$home" java -XX:SharedArchiveFile=classes.jsa -Xms128m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:+ExitOnOutOfMemoryError \
        -Djava.awt.headless=true -Dlog4j2.configurationFile=log4j2.yaml -Dkafka.logs.dir="$RUN" \
        -cp 'libs/*' kafka.Kafka "$RUN/kafka.properties"
}

# Sends a request (ApiVersions v0, correlation id 1) and looks for its answer, since a paused broker still accepts connections.
ready_kafka() {
    grep -q 'Kafka Server started' "$RUN/kafka.log" 2>/dev/null && answers "$KAFKA_PORT" \
        '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' 8 '00 00 00 01$'
}
