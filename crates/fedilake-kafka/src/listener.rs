//! Sends librdkafka's log and error callbacks to `tracing`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Trouble that lasts longer than this is a warning. Shorter is what rebalances, elections and a broker's restart look like.
const PASSING: Duration = Duration::from_secs(10);
/// Trouble after such a silence is another one.
const SILENCE: Duration = Duration::from_secs(60);

/// Listens to one client.
///
/// librdkafka reconnects by itself and reports each attempt: trouble is logged at debug level, and once as a warning if it lasts
/// or cannot pass by itself.
#[derive(Default)]
pub(crate) struct Listener {
    trouble: Mutex<Trouble>,
    /// The topic's id, as librdkafka writes it, for a client that must read no other.
    topic_id: Option<String>,
    has_changed: AtomicBool,
}

/// The client's trouble, past or present.
#[derive(Default)]
struct Trouble {
    /// The last report that names a cause.
    cause: Option<String>,
    /// The first and the last report of the present trouble.
    since: Option<(Instant, Instant)>,
    has_warned: bool,
}

impl Trouble {
    /// Takes note of a report at `now`. True if it is to be a warning.
    fn hear(&mut self, now: Instant, can_pass: bool) -> bool {
        let first = match self.since {
            Some((first, last)) if now.duration_since(last) < SILENCE => first,
            _ => {
                self.has_warned = false;
                now
            }
        };
        self.since = Some((first, now));
        let is_news = !self.has_warned && (!can_pass || now.duration_since(first) >= PASSING);
        self.has_warned |= is_news;
        is_news
    }
}

impl Listener {
    /// A listener that notices when librdkafka meets the topic under another id: see [`Listener::topic_has_changed`].
    pub(crate) fn of_topic(id: String) -> Listener {
        Listener { topic_id: Some(id), ..Listener::default() }
    }

    /// The last trouble that was reported.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).cause.clone()
    }

    /// True if librdkafka goes on, or is about to go on, with another topic of the same name. Known before the first record of
    /// that topic is fetched.
    pub(crate) fn topic_has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Acquire)
    }

    fn hear_trouble(&self, report: &str, code: Option<RDKafkaErrorCode>) {
        use RDKafkaErrorCode::{AllBrokersDown, Authentication, Fatal, SSL, SaslAuthenticationFailed};
        let can_pass = !matches!(code, Some(Authentication | Fatal | SaslAuthenticationFailed | SSL));
        let is_warning = {
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            // "All brokers down" has a cause, which is reported separately.
            if code != Some(AllBrokersDown) {
                trouble.cause = Some(report.to_owned());
            }
            trouble.hear(Instant::now(), can_pass)
        };
        if is_warning {
            tracing::warn!("kafka: {report}; repeated reports are logged at debug level");
        } else {
            tracing::debug!("kafka: {report}");
        }
    }

    /// librdkafka has no other sign that a topic was made again: it goes on at the same offset of the new one. The test
    /// `a_topic_that_is_made_again_ends_its_readers` holds the wording.
    fn hear_detail(&self, facility: &str, message: &str) {
        let Some(expected) = &self.topic_id else { return };
        if facility != "METADATA" {
            return;
        }
        if let Some((_, change)) = message.split_once(" changed id from ")
            && let Some((_, id)) = change.split_once(" to ")
            && id.trim() != expected
        {
            self.has_changed.store(true, Ordering::Release);
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug => self.hear_detail(facility, message),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                // A connection that was closed: most often idle, but the cause of what fails next where a setting does not fit.
                if facility == "FAIL" {
                    let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    trouble.cause.get_or_insert_with(|| message.to_owned());
                }
                tracing::debug!("kafka: {facility}: {message}");
            }
            // The next commit replaces one that a rebalance refused, and the commit's own callback hears of it.
            _ if facility == "COMMITFAIL" => tracing::debug!("kafka: {message}"),
            _ => self.hear_trouble(message, None),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.hear_trouble(reason, error.rdkafka_error_code());
    }
}

impl ConsumerContext for Listener {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports as seconds since the beginning and whether they can pass; those that are warnings.
    fn warnings(reports: &[(u64, bool)]) -> Vec<u64> {
        let (began, mut trouble) = (Instant::now(), Trouble::default());
        let is_warning = |(at, can_pass): &&(u64, bool)| trouble.hear(began + Duration::from_secs(*at), *can_pass);
        reports.iter().filter(is_warning).map(|(at, _)| *at).collect()
    }

    #[test]
    fn trouble_is_a_warning_once_and_only_if_it_lasts_or_cannot_pass() {
        let none: [u64; 0] = [];
        assert_eq!(warnings(&[(0, true)]), none);
        assert_eq!(warnings(&[(0, true), (3, true), (9, true)]), none);
        assert_eq!(warnings(&[(0, true), (5, true), (10, true), (15, true), (40, true)]), [10]);
        assert_eq!(warnings(&[(0, false), (1, false), (20, true)]), [0]);
        // Another trouble, hours later.
        assert_eq!(warnings(&[(0, true), (1, true), (9_000, true), (9_001, true)]), none);
        assert_eq!(warnings(&[(0, true), (11, true), (9_000, true), (9_011, true)]), [11, 9_011]);
    }
}
