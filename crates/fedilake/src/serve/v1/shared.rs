//! Answers that readers share: what one reader of a state of the lake has asked is not asked again for the next one.
//!
//! Readers who ask the same at the same time wait for one answer. It is cancelled when the reader for whom it is made goes away; the next
//! one who waits then asks again.

use std::sync::Arc;

use axum::body::Bytes;
use fedilake_query::{LakeError, Lookup, Question, Rows};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::timeout;

use super::Problem;
use crate::lake_process::{AskError, Ended};
use crate::serve::State;
use crate::serve::asking::Asking;
use crate::serve::snapshot::SnapshotId;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Memory of all answers that are kept.
const BYTES_MAX: u64 = 64 << 20;
/// The number of answers that is expected.
const ANSWERS: usize = 1_000;

/// Something that is asked of a state of the lake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::serve) enum Asks {
    Report(Box<Question>),
    LookUp(Lookup),
}

/// Answers by state and question.
pub(in crate::serve) type Answers = Cache<(SnapshotId, Asks), Bytes, Weight>;

/// The memory of an answer.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Weight;

impl Weighter<(SnapshotId, Asks), Bytes> for Weight {
    fn weight(&self, _: &(SnapshotId, Asks), answer: &Bytes) -> u64 {
        answer.len() as u64 + 512
    }
}

/// No answer yet.
pub(in crate::serve) fn answers() -> Answers {
    Cache::with_weighter(ANSWERS, BYTES_MAX, Weight)
}

impl State {
    /// The answer that is kept, or what `write` makes of the rows.
    pub(super) async fn shared(
        self: &Arc<Self>,
        snapshot: SnapshotId,
        asks: Asks,
        write: impl FnOnce(Rows) -> anyhow::Result<Vec<u8>> + Send + 'static,
    ) -> Result<Bytes, Problem> {
        let key = (snapshot, asks);
        let make = async {
            let rows = self.rows(key.1.clone(), write).await?;
            metrics::counter!("fedilake_serve_answers_made_total").increment(1);
            Ok(Bytes::from(rows))
        };
        self.answers.get_or_insert_async(&key, make).await
    }

    /// True if the answer is kept.
    pub(super) fn keeps(&self, snapshot: SnapshotId, asks: Asks) -> bool {
        self.answers.contains_key(&(snapshot, asks))
    }

    /// Asks the lake on a blocking thread, one of few, until the caller goes away or the time of statements is over.
    pub(super) async fn rows<T: Send + 'static>(
        self: &Arc<Self>,
        asks: Asks,
        write: impl FnOnce(Rows) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let asking = Asking::begin(&self.questions);
        let permit = Arc::clone(&self.reports).acquire_owned().await.map_err(Problem::internal)?;
        let (lake, cancel) = (Arc::clone(&self.lake), asking.cancel.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // Kept until the lake has heard that nobody waits.
            let _permit = permit;
            let rows = match &asks {
                Asks::Report(question) => lake.report_until(question, &cancel),
                Asks::LookUp(lookup) => lake.look_up(lookup, &cancel),
            };
            write(rows.map_err(failed)?).map_err(Problem::internal)
        });
        match timeout(self.sql_limits.time, asked).await {
            Ok(_) if self.questions.is_cancelled() => Err(Problem::stopping()),
            Ok(answered) => answered.map_err(Problem::internal)?,
            Err(_) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("stopped after {} s, the time limit", self.sql_limits.time.as_secs()),
            )
            .hint("ask for fewer posts, or give more time with the setting sql.seconds_max")),
        }
    }

    /// The tag of an answer to a request at a state of the lake.
    pub(super) fn etag(&self, snapshot: SnapshotId, query: &str) -> ETag {
        ETag(format!("W/\"{snapshot}-{:016x}\"", xxhash_rust::xxh3::xxh3_64(query.as_bytes())))
    }
}

/// The tag of an answer.
pub(super) struct ETag(String);

impl ETag {
    /// True if the reader has this very answer.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|known| known.to_str().ok());
        known.flat_map(|known| known.split(',')).any(|known| known.trim() == self.0)
    }

    /// The head of an answer with this tag, which is asked for again each time.
    pub(super) fn head(&self) -> [(header::HeaderName, HeaderValue); 2] {
        [
            (header::ETAG, HeaderValue::from_str(&self.0).expect("a tag has hexadecimal digits")),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        ]
    }

    /// The answer for a reader who has it.
    pub(super) fn unchanged(&self) -> Response {
        (StatusCode::NOT_MODIFIED, self.head()).into_response()
    }
}

fn failed(error: AskError) -> Problem {
    match error {
        AskError::Lake(LakeError::Question(why)) => Problem::bad(why),
        AskError::Lake(LakeError::OutOfMemory(_)) | AskError::Ended(Ended::Memory { .. }) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the lake had too little memory for this")
                .hint("ask for fewer posts, or give it more with the setting lake.memory_bytes_max")
        }
        AskError::Lake(LakeError::Interrupted) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the question was stopped")
        }
        AskError::Ended(_) | AskError::Gone(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        AskError::Lake(_) => Problem::internal(error),
    }
}
