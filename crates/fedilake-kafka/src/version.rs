//! The version of the form of a bookmark: in a header of its record, so that the value is the same for programs that know no
//! version, and two versions of fedilake may share a topic during an upgrade.

use std::ffi::CStr;

/// The header's name.
pub(crate) const HEADER: &str = "fedilake-version";
/// The same for librdkafka.
pub(crate) const HEADER_C: &CStr = c"fedilake-version";
/// The version that this program writes, and the newest that it reads. Records without the header have it too.
pub(crate) const OURS: u32 = 1;

/// Checks the header of a record. The error is the version of a newer fedilake.
pub(crate) fn check(header: Option<&[u8]>) -> Result<(), String> {
    let Some(version) = header else { return Ok(()) };
    match std::str::from_utf8(version).ok().and_then(|version| version.parse::<u32>().ok()) {
        Some(version) if version <= OURS => Ok(()),
        _ => Err(String::from_utf8_lossy(version).escape_debug().take(20).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_version_of_ours_is_a_newer_one() {
        for ours in [None, Some("1"), Some("0")] {
            assert_eq!(check(ours.map(str::as_bytes)), Ok(()), "{ours:?}");
        }
        for newer in ["2", "17", "4294967296", "", "two", "\u{1b}[31m"] {
            assert!(check(Some(newer.as_bytes())).is_err(), "{newer:?}");
        }
        assert!(check(Some(b"\xff\xff")).is_err());
    }
}
