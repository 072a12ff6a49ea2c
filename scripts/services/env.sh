# Where the real services are, and which versions. Sourced by `install` and `svc`.
#
# Two folders: what was installed is shared and only read; a run folder holds one set of services: its ports, pids, logs and data.
# So tests start private sets of their own, several at once, from one install.
#   FEDILAKE_SERVICES_DIR   what is installed      default: .services in the project
#   FEDILAKE_SERVICES_RUN   one running set        default: run in that folder

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Not below target/: what takes minutes to build should survive `cargo clean`.
: "${FEDILAKE_SERVICES_DIR:=$root/.services}"
: "${FEDILAKE_SERVICES_RUN:=$FEDILAKE_SERVICES_DIR/run}"
mkdir -p "$FEDILAKE_SERVICES_DIR"
INSTALLED=$(cd "$FEDILAKE_SERVICES_DIR" && pwd)
RUN=$FEDILAKE_SERVICES_RUN
LOCAL=127.0.0.1

KAFKA_VERSION=4.4.0
LOG4J_VERSION=2.25.5
POSTGRES_VERSION=17.6.0
REGISTRY_VERSION=v0.2.1
S3_VERSION=v1.8.0
PROXY_VERSION=v2.5.0

S3_KEY=fedilake
S3_SECRET=fedilake-secret
S3_BUCKET=fedilake
S3_REGION=us-east-1

ALL="kafka pg registry s3 proxy"

# postgres refuses to run as root. As nobody, who may still pass through root's own folders: a checkout may lie below /root.
# Prints the words before a command, one a line.
not_as_root() {
    [ "$(id -u)" -ne 0 ] || printf '%s\n' setpriv --reuid=65534 --regid=65534 --clear-groups \
        --inh-caps=+dac_override --ambient-caps=+dac_override
}
