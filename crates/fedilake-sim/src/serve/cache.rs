//! A CDN before a server: pages for readers without a token are as old as it keeps them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::time::Instant;

use super::answer::json_body;

/// A page of a timeline.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub(crate) body: Bytes,
    pub(crate) link: Option<HeaderValue>,
}

impl Sheet {
    pub(crate) fn into_response(self) -> Response {
        let mut response = json_body(self.body.into());
        if let Some(link) = self.link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The pages that are kept, by path and query.
pub(crate) struct Cache {
    keeps: Option<Duration>,
    sheets: Mutex<HashMap<String, (Instant, Sheet)>>,
}

/// Pages of which the old ones are dropped before another is kept.
const SHEETS_MAX: usize = 1_000;

impl Cache {
    /// `None` keeps nothing.
    pub(crate) fn new(keeps: Option<Duration>) -> Cache {
        Cache { keeps, sheets: Mutex::default() }
    }

    /// The kept page, or the one that `make` gives, which is kept then.
    pub(crate) fn answer(&self, key: &str, make: impl FnOnce() -> Sheet) -> Response {
        let Some(keeps) = self.keeps else { return make().into_response() };
        let mut sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if sheets.len() >= SHEETS_MAX {
            sheets.retain(|_, (at, _)| now - *at < keeps);
        }
        let is_fresh = |(at, _): &&(Instant, Sheet)| now - *at < keeps;
        let (at, sheet) = match sheets.get(key).filter(is_fresh) {
            Some(kept) => kept.clone(),
            None => {
                let made = (now, make());
                sheets.insert(key.to_owned(), made.clone());
                made
            }
        };
        let mut response = sheet.into_response();
        let rule = format!("max-age={}, public, stale-while-revalidate=30, stale-if-error=86400", keeps.as_secs());
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_str(&rule).expect("digits and words"));
        headers.insert(header::AGE, HeaderValue::from((now - at).as_secs()));
        response
    }
}
