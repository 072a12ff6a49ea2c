//! Filling a gap: every page of a timeline from a place up to now.
//!
//! The newest page is asked for first, without ids: it is cheap and may come from a cache. Only when it does not reach back to
//! the place, pages are walked upwards by `min_id` until they reach it; `since_id` would leave holes. A page that is short is no
//! sign of the end, an empty one is. A server that ignores `min_id` ends the walk too, when a page brings nothing that the page
//! before did not bring.
//!
//! Bounded: one page, the ids of the one before, and the pages of a descent ([`DESCENT_BYTES_MAX`]).
//!
//! A first contact reads the newest page, or as far back as it is told: upwards from the id of that time where ids hold their times, else
//! downwards until posts are older, and then upwards from there.
//!
//! Ids are compared only where both hold their time. For others a page reaches a place when it shows the post there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::sleep;

use crate::server::error::SourceError;
use crate::way::cursor::Cursor;
use crate::way::mark::Start;
use crate::way::page::Page;
use crate::way::source::{At, Source};

/// Pages, lowest first. Ends after an error. Waiting for the next page is cancel-safe.
pub(crate) type Pages = BoxStream<'static, Result<Page, SourceError>>;

/// The most pages that an overlap may cost, however busy the server is.
const OVERLAP_PAGES_MAX: u32 = 75;
/// The most pages that are read downwards; and the most bytes of them that are held meanwhile.
const DESCENT_PAGES_MAX: usize = 25;
const DESCENT_BYTES_MAX: usize = 8 << 20;
/// The most pages down to the beginning of a first contact: of these only the lowest id is held.
const BACKFILL_PAGES_MAX: usize = 5_000;
/// The number of posts from before the overlap with which a first contact begins: a page.
const FIRST_POSTS: usize = 40;

/// The pages from a place, less `overlap`, up to now, each joining the one before.
///
/// Without a place only the newest page. Where posts dated in the future lead it, also the pages below it, until they hold a page of
/// posts from before the overlap.
pub(crate) fn fill(source: Arc<Source>, start: Option<Start>, overlap: Duration) -> Pages {
    once_known(async move {
        let newest = source.page(At::Newest).await?;
        let Some(Start { place, known }) = start else {
            return first_contact(source, newest, overlap).await;
        };
        let from = place.back(overlap_within(overlap, &newest));
        let is_known = newest.ids().next().is_some_and(|lowest| known.contains(lowest));
        if is_known || reaches(&newest, &from) {
            return Ok(stream::iter([Ok(newest)]).boxed());
        }
        let until = newest.ids().next().or(newest.lowest()).cloned().expect("it is not empty, else it reached");
        match source.page(At::Above(&from)).await {
            Ok(page) => Ok(upwards(source, page, &from, until, newest)),
            // The server does not know this id: its post was deleted, or the id is from other software that ran there
            // before.
            Err(SourceError::Refused { .. }) => {
                descend(&source, newest, |pages| pages.last().is_some_and(|page| reaches(page, &from))).await
            }
            Err(error) => Err(error),
        }
    })
}

/// `page`, which stands above `from`, the pages above it until one reaches `until`, and `newest`.
fn upwards(source: Arc<Source>, page: Page, from: &Cursor, until: Cursor, newest: Page) -> Pages {
    let rest = match after(&page, None, from, &until) {
        Some(next) => walk_on(source, next, until, Some(&page)),
        None => stream::empty().boxed(),
    };
    stream::iter([Ok(page)]).chain(rest).chain(stream::iter([Ok(newest)])).boxed()
}

/// The pages above `from` until one reaches `until`, or until they end.
pub(crate) fn walk(source: Arc<Source>, from: Cursor, until: Cursor) -> Pages {
    walk_on(source, from, until, None)
}

/// The pages from `overlap` before `from` up to `until`, one every `pace`, so that other requests have room.
pub(crate) fn walk_late(source: Arc<Source>, from: Cursor, until: Cursor, overlap: Duration, pace: Duration) -> Pages {
    let pages = once_known(async move {
        let newest = source.page(At::Newest).await?;
        Ok(walk_on(source, from.back(overlap_within(overlap, &newest)), until, None))
    });
    let paced = pages.then(move |page| async move {
        sleep(pace).await;
        page
    });
    paced.boxed()
}

/// The next page of a walk; `None` at its end, and without a walk.
pub(crate) async fn next_page(pages: &mut Option<Pages>) -> Option<Result<Page, SourceError>> {
    match pages {
        Some(pages) => pages.next().await,
        None => None,
    }
}

/// The pages that a request decides about, or its error.
fn once_known(pages: impl Future<Output = Result<Pages, SourceError>> + Send + 'static) -> Pages {
    stream::once(pages).map(|pages| pages.unwrap_or_else(|error| stream::iter([Err(error)]).boxed())).flatten().boxed()
}

fn walk_on(source: Arc<Source>, from: Cursor, until: Cursor, before: Option<&Page>) -> Pages {
    let before: HashSet<Cursor> = before.into_iter().flat_map(Page::all_ids).cloned().collect();
    stream::try_unfold(Some((from, before)), move |next| {
        let (source, until) = (source.clone(), until.clone());
        async move {
            let Some((from, before)) = next else {
                return Ok(None);
            };
            let page = source.page(At::Above(&from)).await?;
            let next = after(&page, Some(&before), &from, &until);
            let next = next.map(|next| (next, page.all_ids().cloned().collect()));
            Ok(Some((page, next)))
        }
    })
    .boxed()
}

/// The id from which to read on after `page`, which was asked for above `from`; `None` at the end.
fn after(page: &Page, before: Option<&HashSet<Cursor>>, from: &Cursor, until: &Cursor) -> Option<Cursor> {
    let has_reached =
        page.contains(until) || page.ids().next_back().is_some_and(|highest| highest.is_surely_at_least(until));
    let is_new = |id: &Cursor| id != from && before.is_none_or(|before| !before.contains(id));
    let next = page.highest().filter(|_| !has_reached && page.all_ids().any(is_new));
    next.filter(|next| *next != from).cloned()
}

/// True if nothing between `from` and `page` can be missing: the page shows the post at `from`, or one that is older.
pub(crate) fn reaches(page: &Page, from: &Cursor) -> bool {
    page.is_empty() || page.contains(from) || page.ids().next().is_some_and(|lowest| from.is_surely_at_least(lowest))
}

async fn first_contact(source: Arc<Source>, newest: Page, overlap: Duration) -> Result<Pages, SourceError> {
    let backfill = source.settings().backfill;
    if !backfill.is_zero() {
        return fill_back(source, newest, Utc::now() - backfill).await;
    }
    if !newest.is_led() {
        return Ok(stream::iter([Ok(newest)]).boxed());
    }
    let since = Utc::now() - overlap;
    let is_enough = |pages: &[Page]| pages.iter().map(|page| page.count_before(since)).sum::<usize>() >= FIRST_POSTS;
    descend(&source, newest, is_enough).await
}

/// The pages from `since` up to `newest`.
async fn fill_back(source: Arc<Source>, newest: Page, since: DateTime<Utc>) -> Result<Pages, SourceError> {
    let Some(until) = newest.ids().next().or(newest.lowest()).cloned() else {
        return Ok(stream::iter([Ok(newest)]).boxed());
    };
    if newest.count_before(since) > 0 {
        return Ok(stream::iter([Ok(newest)]).boxed());
    }
    let hold_times = 2 * newest.ids().filter(|id| id.time().is_some()).count() > newest.ids().count();
    if let Some(start) = Cursor::at(since).filter(|_| hold_times) {
        match source.page(At::Above(&start)).await {
            Ok(page) => return Ok(upwards(source, page, &start, until, newest)),
            // The server wants the id of a post that it has.
            Err(SourceError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    match first_since(&source, until.clone(), since).await? {
        Some(first) => Ok(upwards(source, first, &until.clone(), until, newest)),
        None => Ok(stream::iter([Ok(newest)]).boxed()),
    }
}

/// The first page below `place` that shows a post from before `since`, or else the lowest page; `None` if there is none below.
async fn first_since(source: &Source, mut place: Cursor, since: DateTime<Utc>) -> Result<Option<Page>, SourceError> {
    let mut first = None;
    for _ in 0..BACKFILL_PAGES_MAX {
        let page = source.page(At::Below(&place)).await?;
        let Some(lowest) = page.lowest().filter(|lowest| **lowest != place) else { break };
        place = lowest.clone();
        let is_first = page.count_before(since) > 0;
        first = Some(page);
        if is_first {
            break;
        }
    }
    Ok(first)
}

/// The pages below `newest` until `is_enough` of them were read, and `newest`. All pages are held until the lowest is
/// known.
async fn descend(source: &Source, newest: Page, is_enough: impl Fn(&[Page]) -> bool) -> Result<Pages, SourceError> {
    let mut pages = vec![newest];
    let mut bytes = pages[0].bytes();
    while !is_enough(&pages) && pages.len() < DESCENT_PAGES_MAX && bytes < DESCENT_BYTES_MAX {
        let above = pages.last().expect("the newest is there");
        let Some(lowest) = above.lowest() else { break };
        let page = source.page(At::Below(lowest)).await?;
        if page.all_ids().all(|id| above.contains(id)) {
            break;
        }
        bytes += page.bytes();
        pages.push(page);
    }
    pages.reverse();
    Ok(stream::iter(pages.into_iter().map(Ok)).boxed())
}

/// `overlap`, or less if posts come as fast as `page` shows.
pub(crate) fn overlap_within(overlap: Duration, page: &Page) -> Duration {
    page.span().map_or(overlap, |span| overlap.min(span * OVERLAP_PAGES_MAX))
}
