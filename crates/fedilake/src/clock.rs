//! Refuses a clock that cannot be right: times are stored with every record.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};

/// Returns an error if the clock stands before 1970: the log counts its times from there.
pub fn require(now: SystemTime) -> anyhow::Result<()> {
    if now < UNIX_EPOCH {
        let now = DateTime::<Utc>::from(now).to_rfc3339_opts(SecondsFormat::Secs, true);
        bail!("this machine's clock says {now}: expected a time since 1970\nhint: set the clock, then start again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_before_1970_is_told_with_its_time_and_any_later_one_passes() {
        for (seconds, told) in
            [(1, "1969-12-31T23:59:59Z"), (3_600, "1969-12-31T23:00:00Z"), (2_208_988_800, "1900-01-01T00:00:00Z")]
        {
            let error = require(UNIX_EPOCH - Duration::from_secs(seconds)).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("hint: "), "{error}");
        }
        for seconds in [0, 1, 4_102_444_800] {
            require(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
    }
}
