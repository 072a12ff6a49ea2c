//! The setting to change when a broker cannot be reached, told by librdkafka's own words.

/// A part of librdkafka's or the broker's message, in lower case, and the hint for it. The first that fits counts: a failed TLS
/// handshake is also a failed connection.
const REMEDIES: &[(&str, &str)] = &[
    (
        "could not be verified",
        "log.ca_file must name the certificates (PEM) of the authority that signed the broker's, and the host in log.url must be in the broker's certificate",
    ),
    (
        "certificate verify failed",
        "log.ca_file must name the certificates (PEM) of the authority that signed the broker's, and the host in log.url must be in the broker's certificate",
    ),
    ("connecting to a ssl listener", "this port of log.url seems to speak TLS: set log.security = \"tls\""),
    (
        "connecting to a plaintext broker listener",
        "this port of log.url seems to speak no TLS: use the broker's TLS port, or set log.security = \"plaintext\"",
    ),
    (
        "wrong version number",
        "this port of log.url seems to speak no TLS: use the broker's TLS port, or set log.security = \"plaintext\"",
    ),
    (
        "might require sasl",
        "this port of log.url seems to ask for a user: set log.sasl, log.user and log.password_file (or FEDILAKE_LOG_PASSWORD)",
    ),
    (
        "requesting apiversion",
        "this port of log.url seems to ask for a user: set log.sasl, log.user and log.password_file (or FEDILAKE_LOG_PASSWORD)",
    ),
    ("not valid in current sasl state", "this port of log.url seems to ask for no user: set log.sasl = \"none\""),
    ("unsupported sasl mechanism", "set log.sasl to a mechanism that the broker offers"),
    ("sasl mechanism handshake failed", "set log.sasl to a mechanism that the broker offers"),
    (
        "sasl",
        "are log.user and the password in log.password_file (or FEDILAKE_LOG_PASSWORD) right, and is log.sasl the broker's mechanism?",
    ),
    (
        "authentication failed",
        "are log.user and the password in log.password_file (or FEDILAKE_LOG_PASSWORD) right, and is log.sasl the broker's mechanism?",
    ),
    ("connection refused", "does a broker run there, and is its address in log.url right?"),
    ("failed to resolve", "is the broker's address in log.url right?"),
];

/// The hint for a message, without the word `hint`.
pub(crate) fn of(why: &str) -> &'static str {
    let why = why.to_lowercase();
    let fitting = REMEDIES.iter().find(|(part, _)| why.contains(part));
    fitting.map_or("does a broker run there, and are log.url, log.security and log.sasl right?", |(_, hint)| hint)
}
