//! The headers of an answer: whatever they say, no wait is longer than an hour, and one that was obeyed is over.
#![no_main]

use chrono::{DateTime, TimeDelta, Utc};
use fedilake_collect::server::limits::{Limits, time_of, wait_told};
use fedilake_fuzz::seed;
use libfuzzer_sys::fuzz_target;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const NAMES: [&str; 5] = ["retry-after", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-limit", "date"];

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok()).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let mut headers = HeaderMap::new();
    for (name, value) in NAMES.iter().zip(lines) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let hour = TimeDelta::hours(1);
    let now: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    time_of(&headers, now);
    if let Some(wait) = wait_told(status, &headers, now) {
        assert!(wait.kept <= hour.to_std().unwrap());
        assert!(wait.said.is_none_or(|said| wait.kept <= said));
    }
    for is_paged in [false, true] {
        let mut limits = Limits::new(280);
        limits.take(status, &headers, is_paged, now);
        let wait = limits.wait(true, now).unwrap_or_default();
        assert!(wait <= hour.to_std().unwrap(), "{wait:?}");
        assert_eq!(limits.wait(true, now + TimeDelta::from_std(wait).unwrap()), None);
        // What is told later does not make an earlier refusal last longer than an hour either.
        limits.take(status, &headers, is_paged, now + hour);
        assert!(limits.wait(true, now + hour).unwrap_or_default() <= hour.to_std().unwrap());
    }
});

fn seeds() -> Vec<&'static str> {
    vec![
        "429\n90\n2026-01-01T00:01:30.000000Z\n0\n300\nThu, 01 Jan 2026 00:00:00 GMT",
        "503\nThu, 01 Jan 2026 00:02:00 GMT",
        "200\n\n1767225690\n3\n300\n",
        "200\n\n1767225690000000.5\n1\n300\nThursday, 01-Jan-26 00:01:30 GMT",
        "429\nThu Jan  1 00:01:30 2026\n-1e300\n0",
        "429\n9999-12-31T23:59:59Z\n1e300",
    ]
}
