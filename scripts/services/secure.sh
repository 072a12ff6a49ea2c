# Secures a broker as in production: a listener with TLS, one with SASL (PLAIN and SCRAM-SHA-512) over TLS, and access rules. The
# plaintext listeners stay for administration.
#
#   $RUN/secure/ca.pem      the authority that signed the broker's certificate
#   $RUN/secure/other.pem   another authority
# SASL users: fedilake has every right; reader has the rights that tests grant, at first none.

SECURE_USER=fedilake
SECURE_PASSWORD=fedilake-secret
READER_PASSWORD=reader-secret

is_secure() { [ -f "$RUN/secure/ports" ]; }

make_secure() {
    local to=$RUN/secure name
    command -v openssl >/dev/null || { echo "error: a secure broker needs openssl" >&2; return 1; }
    mkdir -p "$to"
    for name in ca other; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$name" \
            -keyout "$to/$name.key" -out "$to/$name.pem" || return 1
    done 2>/dev/null
    {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=broker -keyout "$to/broker.key" -out "$to/broker.csr" &&
            printf 'subjectAltName=IP:%s,DNS:localhost\n' "$LOCAL" >"$to/broker.ext" &&
            openssl x509 -req -in "$to/broker.csr" -CA "$to/ca.pem" -CAkey "$to/ca.key" -CAcreateserial -days 3650 \
                -extfile "$to/broker.ext" -out "$to/broker.crt"
    } 2>/dev/null || return 1
    cat "$to/broker.key" "$to/broker.crt" >"$to/broker.pem"
    printf 'KAFKA_TLS_PORT=%s\nKAFKA_SASL_PORT=%s\n' "$(take_port)" "$(take_port)" >"$to/ports"
}

# Adds the listeners to the broker's properties and gives the users passwords.
secure_kafka() { # Kafka's folder, its data folder
    local home=$1 data=$2 name id
    . "$RUN/secure/ports"
    sed -i -e "/^listeners=/s|\$|,TLS://$LOCAL:$KAFKA_TLS_PORT,SASLTLS://$LOCAL:$KAFKA_SASL_PORT|" \
        -e "/^advertised.listeners=/s|\$|,TLS://$LOCAL:$KAFKA_TLS_PORT,SASLTLS://$LOCAL:$KAFKA_SASL_PORT|" \
        -e '/^listener.security.protocol.map=/s|$|,TLS:SSL,SASLTLS:SASL_SSL|' "$RUN/kafka.properties"
    {
        for name in tls sasltls; do
            echo "listener.name.$name.ssl.keystore.type=PEM"
            echo "listener.name.$name.ssl.keystore.location=$RUN/secure/broker.pem"
        done
        cat <<P
listener.name.sasltls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasltls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
    user_$SECURE_USER="$SECURE_PASSWORD" user_reader="$READER_PASSWORD";
listener.name.sasltls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:$SECURE_USER
P
    } >>"$RUN/kafka.properties"
    [ ! -f "$RUN/secure/formatted" ] || return 0
    # SCRAM passwords are stored in the cluster's metadata, which is written by formatting the folder again.
    id=$(sed -n 's/^cluster.id=//p' "$data/meta.properties")
    rm -rf "$data"
    (cd "$home" && java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.configurationFile=log4j2.yaml -cp 'libs/*' \
        kafka.tools.StorageTool format --cluster-id "$id" --config "$RUN/kafka.properties" \
        --add-scram "SCRAM-SHA-512=[name=$SECURE_USER,password=$SECURE_PASSWORD]") >"$RUN/format.log" 2>&1 ||
        { tail -5 "$RUN/format.log" >&2; return 1; }
    touch "$RUN/secure/formatted"
}
