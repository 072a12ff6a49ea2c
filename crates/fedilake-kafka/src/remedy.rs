//! The setting to change when a broker cannot be reached, told by librdkafka's own words.

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

/// Parts of librdkafka's or the broker's message, in lower case, all of which it has, and the hint for it. The first entry that
/// fits counts: a refused certificate is also a failed handshake.
const REMEDIES: &[(&[&str], &str)] = &[
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

/// The hint for a message, without the word `hint`.
pub(crate) fn of(why: &str) -> &'static str {
    let why = why.to_lowercase();
    let fitting = REMEDIES.iter().find(|(parts, _)| parts.iter().all(|part| why.contains(part)));
    fitting.map_or(ANY, |(_, hint)| hint)
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
