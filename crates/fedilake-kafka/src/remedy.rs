//! The setting to change when a broker or the registry cannot be reached, told by the client's own words.

const AUTHORITY: &str = "log.ca_file must name the certificates (PEM) of the authority that signed the broker's, and the host in log.url must be in the broker's certificate";
const TLS: &str = "this port of log.url seems to speak TLS: set log.security = \"tls\"";
const NO_TLS: &str =
    "this port of log.url seems to speak no TLS: use the broker's TLS port, or set log.security = \"plaintext\"";
const LOGIN: &str = "are log.user and the password in log.password_file (or FEDILAKE_LOG_PASSWORD) right, and is log.sasl the broker's mechanism?";
const NO_USER: &str = "this port of log.url seems to ask for no user: set log.sasl = \"none\"";
const MECHANISM: &str = "set log.sasl to a mechanism that the broker offers";
const USER: &str =
    "does the broker ask for a user? Then set log.sasl, log.user and log.password_file (or FEDILAKE_LOG_PASSWORD)";
const ADDRESS: &str = "does a broker run there, and is its address in log.url right?";
const ANY: &str = "does a broker run there, and are log.url, log.security and log.sasl right?";

const REGISTRY_AUTHORITY: &str = "log.ca_file must name the certificates (PEM) of the authority that signed the registry's, unless the system has them, and the host in log.registry_url must be in the registry's certificate";
const REGISTRY_TLS: &str = "this port of log.registry_url may speak TLS: write its address with https://";
const REGISTRY_NO_TLS: &str = "this port of log.registry_url seems to speak no TLS: write its address with http://";
const REGISTRY_LOGIN: &str =
    "are log.registry_user and the password in log.registry_password_file (or FEDILAKE_LOG_REGISTRY_PASSWORD) right?";
const REGISTRY_RIGHT: &str = "the user of log.registry_user lacks a right at the registry";
const REGISTRY_ADDRESS: &str = "does the registry run there, and is its address in log.registry_url right?";
const REGISTRY_ANY: &str = "is the registry there, and are its address and login right?";

/// Parts of a message, in lower case, all of which it has, and the hint for it. The first entry that fits counts: a refused
/// certificate is also a failed handshake.
type Remedies = [(&'static [&'static str], &'static str)];

/// For messages of librdkafka and the broker.
const REMEDIES: &Remedies = &[
    (&["connection refused"], ADDRESS),
    (&["failed to resolve"], ADDRESS),
    (&["could not be verified"], AUTHORITY),
    (&["certificate verify failed"], AUTHORITY),
    (&["connecting to a ssl listener"], TLS),
    (&["connecting to a plaintext broker listener"], NO_TLS),
    (&["wrong version number"], NO_TLS),
    (&["in state ssl_handshake"], NO_TLS),
    (&["not valid in current sasl state"], NO_USER),
    (&["unsupported sasl mechanism"], MECHANISM),
    (&["sasl authentication error"], LOGIN),
    (&["authentication failed"], LOGIN),
    (&["might require sasl"], USER),
    (&["[thrd:ssl://", "closed by peer"], USER),
    (&["in state apiversion_query"], TLS),
    (&["closed by peer", "in state up"], USER),
];

/// For messages of the registry and its client.
const REGISTRY_REMEDIES: &Remedies = &[
    (&["401 unauthorized"], REGISTRY_LOGIN),
    (&["403 forbidden"], REGISTRY_RIGHT),
    (&["invalid peer certificate"], REGISTRY_AUTHORITY),
    (&["certificate"], REGISTRY_AUTHORITY),
    (&["invalidcontenttype"], REGISTRY_NO_TLS),
    (&["corrupt message"], REGISTRY_NO_TLS),
    (&["plain http request"], REGISTRY_TLS),
    (&["invalid http version"], REGISTRY_TLS),
    (&["connection closed before message completed"], REGISTRY_TLS),
    (&["connection reset by peer"], REGISTRY_TLS),
    (&["connection refused"], REGISTRY_ADDRESS),
    (&["dns error"], REGISTRY_ADDRESS),
    (&["404 not found"], REGISTRY_ADDRESS),
];

/// The hint for a message about a broker, without the word `hint`.
pub(crate) fn of(why: &str) -> &'static str {
    fitting(REMEDIES, why).unwrap_or(ANY)
}

/// The hint for a message about the registry, without the word `hint`.
pub(crate) fn of_registry(why: &str) -> &'static str {
    fitting(REGISTRY_REMEDIES, why).unwrap_or(REGISTRY_ANY)
}

/// True if a connection to the registry fails in a way that does not pass by itself.
pub(crate) fn registry_must_be_set_otherwise(why: &str) -> bool {
    matches!(fitting(REGISTRY_REMEDIES, why), Some(hint) if [REGISTRY_AUTHORITY, REGISTRY_NO_TLS].contains(&hint))
}

fn fitting(remedies: &Remedies, why: &str) -> Option<&'static str> {
    let why = why.to_lowercase();
    let fitting = remedies.iter().find(|(parts, _)| parts.iter().all(|part| why.contains(part)));
    fitting.map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka 2.12 says it; tests/it/secure.rs has the same from a broker.
    #[test]
    fn a_message_names_its_setting() {
        for (why, hint) in [
            (
                "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 2ms in state APIVERSION_QUERY)",
                TLS,
            ),
            (
                "127.0.0.1:1/bootstrap: Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?)",
                TLS,
            ),
            (
                "[thrd:ssl://127.0.0.1:1/bootstrap]: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 24ms in state SSL_HANDSHAKE)",
                NO_TLS,
            ),
            (
                "[thrd:ssl://127.0.0.1:1/bootstrap]: Disconnected: SSL connection closed by peer (after 1ms in state SSL_HANDSHAKE)",
                NO_TLS,
            ),
            (
                "[thrd:ssl://127.0.0.1:1/bootstrap]: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified (after 137ms in state SSL_HANDSHAKE)",
                AUTHORITY,
            ),
            (
                "[thrd:ssl://127.0.0.1:1/bootstrap]: Disconnected: SSL connection closed by peer (after 37ms in state UP)",
                USER,
            ),
            (
                "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: SASL authentication error: Authentication failed: Invalid username or password (after 104ms in state AUTH_REQ)",
                LOGIN,
            ),
            (
                "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN",
                MECHANISM,
            ),
            (
                "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state",
                NO_USER,
            ),
            (
                "[thrd:sasl_ssl://127.0.0.1:1/bootstrap]: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                ADDRESS,
            ),
            ("nowhere.example:1/bootstrap: Failed to resolve 'nowhere.example:1': Name or service not known", ADDRESS),
            ("Local: Timed out", ANY),
        ] {
            assert_eq!(of(why), hint, "{why}");
        }
    }
}
