//! Values as SQL writes them.

/// A SQL string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A SQL expression for an instant, of milliseconds since 1970.
pub(crate) fn instant(ms: i64) -> String {
    format!("make_timestamptz({})", ms.saturating_mul(1000))
}
