//! Filling a gap: every page of a timeline from a place up to now.
//!
//! The newest page is asked for first, without ids: it is cheap and may come from a cache. Only when it does not reach back
//! to the place, pages are walked upwards by `min_id` until they reach it; `since_id` would leave holes. A page that is short
//! is no sign of the end, an empty one is. A server that ignores `min_id` ends the walk too, when a page brings nothing higher.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::page::Page;
use crate::source::Source;

/// Pages, lowest first. After an error nothing follows. Waiting for the next is cancel-safe.
pub type Pages = BoxStream<'static, Result<Page, SourceError>>;

/// An overlap costs no more than about this many pages, however busy the server is.
const OVERLAP_PAGES_MAX: u32 = 75;

/// The pages from `place`, less `overlap`, up to now, each joining the one before; without a place only the newest.
pub fn fill(source: Arc<Source>, place: Option<Cursor>, overlap: Duration) -> Pages {
    stream::once(async move {
        let newest = source.page(None).await?;
        let from = place.map(|place| place.back(overlap_within(overlap, &newest)));
        let pages = match (from, newest.lowest().cloned()) {
            (Some(from), Some(lowest)) if lowest > from => {
                walk(source, from, lowest).chain(stream::iter([Ok(newest)])).boxed()
            }
            _ => stream::iter([Ok(newest)]).boxed(),
        };
        Ok(pages)
    })
    .map(|pages| pages.unwrap_or_else(|error| stream::iter([Err(error)]).boxed()))
    .flatten()
    .boxed()
}

/// The pages above `from` until one reaches `until`, or until they end.
pub fn walk(source: Arc<Source>, from: Cursor, until: Cursor) -> Pages {
    stream::try_unfold(Some(from), move |from| {
        let (source, until) = (source.clone(), until.clone());
        async move {
            let Some(from) = from else {
                return Ok(None);
            };
            let page = source.page(Some(&from)).await?;
            let next = page.highest().filter(|highest| **highest > from && **highest < until).cloned();
            Ok(Some((page, next)))
        }
    })
    .boxed()
}

/// `overlap`, or less where posts come as fast as `page` shows.
pub fn overlap_within(overlap: Duration, page: &Page) -> Duration {
    page.span().map_or(overlap, |span| overlap.min(span * OVERLAP_PAGES_MAX))
}
