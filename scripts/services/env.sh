# Folders and versions of the real services. Sourced by `install` and `svc`.
#
# The installed programs are shared and only read. A run folder holds one set of running services: ports, pids, logs and data.
# Tests start several private sets at once from one installation.
#   FEDILAKE_SERVICES_DIR   the installed programs   default: .services in the project
#   FEDILAKE_SERVICES_RUN   a set's run folder       default: run in that folder

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Not below target/: `cargo clean` should not remove programs that take minutes to build.
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

# Prints the words that run a command as nobody, one a line, if root calls: postgres refuses to run as root. The capability lets
# it pass through root's folders, since a checkout may lie below /root.
not_as_root() {
    [ "$(id -u)" -ne 0 ] || printf '%s\n' setpriv --reuid=65534 --regid=65534 --clear-groups \
        --inh-caps=+dac_override --ambient-caps=+dac_override
}
