//! When each post was durable in the log, and how long after its server showed it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Key, LogError, LogWriter};
use xxhash_rust::xxh3::xxh3_64;

/// A log that notes when its records were durable: 16 bytes for each.
pub(crate) struct TimedLog {
    log: Arc<EmbeddedLog>,
    /// Hashes of keys, and milliseconds since 1970.
    durable: Mutex<Vec<(u64, i64)>>,
}

impl TimedLog {
    pub(crate) fn new(log: Arc<EmbeddedLog>) -> TimedLog {
        TimedLog { log, durable: Mutex::default() }
    }

    /// The lags of the posts that their servers showed in a time (milliseconds since 1970), of those that are not deleted.
    pub(crate) fn lags(&self, shown: &[Shown], from_ms: i64, to_ms: i64) -> Lags {
        let mut durable: HashMap<u64, i64> = HashMap::new();
        for (key, at_ms) in self.durable.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            durable.entry(*key).or_insert(*at_ms);
        }
        let mut lags = Lags::default();
        for post in shown.iter().filter(|post| (from_ms..to_ms).contains(&post.at_ms)) {
            match durable.get(&post.key) {
                Some(at_ms) => {
                    lags.times.push(Duration::from_millis((at_ms - post.at_ms).max(0).unsigned_abs()));
                    lags.last_ms = lags.last_ms.max(*at_ms);
                }
                None => lags.missing += 1,
            }
        }
        lags.times.sort_unstable();
        lags
    }
}

#[async_trait]
impl LogWriter for TimedLog {
    async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError> {
        let keys: Vec<u64> = records.iter().map(|(key, _)| xxh3_64(&key.0)).collect();
        self.log.append(records).await?;
        let now_ms = now_ms();
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.extend(keys.into_iter().map(|key| (key, now_ms)));
        Ok(())
    }
}

/// A post as its server says that it showed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) key: u64,
    pub(crate) at_ms: i64,
}

/// The key of a post's records, as a number.
pub(crate) fn key(server: &str, id: &str) -> u64 {
    xxh3_64(format!("{server}/{id}").as_bytes())
}

/// Times from a showing to the durable record, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lags {
    pub(crate) times: Vec<Duration>,
    /// Posts that are not in the log.
    pub(crate) missing: usize,
    /// When the last of the posts was durable, in milliseconds since 1970.
    pub(crate) last_ms: i64,
}

impl Lags {
    /// The lag that a share of the posts (0 to 1) does not exceed: the nearest rank.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        self.times.get(rank.clamp(1, self.times.len().max(1)) - 1).copied().unwrap_or_default()
    }
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
