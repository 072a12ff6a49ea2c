//! The requests that came to a server: how many, and the last ones as they came.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::extract::Request;
use axum::http::HeaderMap;
use tokio::time::Instant;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The time at which it came.
    pub at: Instant,
    /// The path, without slashes at its end.
    pub path: String,
    /// The query, without its question mark; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// The requests of a server, those of the control routes aside.
pub(crate) struct Visits {
    kept_max: usize,
    kept: Mutex<VecDeque<Visit>>,
    requests: AtomicU64,
    streams: AtomicU64,
}

impl Visits {
    /// Keeps the last `kept_max`.
    pub(crate) fn new(kept_max: usize) -> Visits {
        Visits { kept_max, kept: Mutex::default(), requests: AtomicU64::new(0), streams: AtomicU64::new(0) }
    }

    pub(crate) fn note(&self, request: &Request) {
        if self.kept_max > 0 {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == self.kept_max {
                kept.pop_front();
            }
            kept.push_back(Visit {
                at: Instant::now(),
                path: request.uri().path().to_owned(),
                query: request.uri().query().unwrap_or_default().to_owned(),
                headers: request.headers().clone(),
            });
        }
        self.requests.fetch_add(1, Ordering::Release);
    }

    /// A stream was opened, or refused by an answer that was set.
    pub(crate) fn note_stream(&self) {
        self.streams.fetch_add(1, Ordering::Release);
    }

    /// The kept requests, oldest first.
    pub(crate) fn kept(&self) -> Vec<Visit> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Requests that came, answered or not.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    pub(crate) fn streams(&self) -> u64 {
        self.streams.load(Ordering::Acquire)
    }
}
