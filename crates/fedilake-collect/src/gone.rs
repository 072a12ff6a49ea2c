//! Posts that are gone without a word: deleted while a stream had a hole, while a timeline was polled, or with their account.
//!
//! The posts of the last half hour are remembered. After a hole, and now and then while the timeline is polled, their server is asked for
//! each of them again, twenty in a request, the newest first. A post that its server no longer has becomes a delete; one that was edited
//! becomes an edit.
//!
//! A post is believed to be gone only if the server gave other posts in the same way, and says in words of its own that it does not
//! have this one: a proxy's page that nothing is there deletes nothing. Servers without the request for several are asked for each.
//!
//! Bounded: the places of a few thousand posts. What was collected before the process began is not remembered.

use std::collections::{HashSet, VecDeque};
use std::future;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_model::{Frame, FrameKind};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep_until};

use crate::arrival::Arrival;
use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::limits::PAGED_WINDOW;
use crate::page::Page;
use crate::source::Source;

const HELD_MAX: usize = 5_000;
const HELD_FOR: Duration = Duration::from_secs(1_800);
/// Posts that Mastodon gives in one request.
const ASKED_MAX: usize = 20;
/// Requests without any post after which a server is not asked on.
const FRUITLESS_MAX: u32 = 5;

/// A server's posts that may be gone.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// The last posts, the latest last.
    held: VecDeque<(Instant, Cursor)>,
    /// The posts to ask for, the next one first.
    suspects: VecDeque<Cursor>,
    manner: Manner,
    /// True if the server gave a post in this manner.
    is_proven: bool,
    /// Requests since the manner began, while it is not proven.
    fruitless: u32,
}

/// How a server is asked for posts by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Several,
    /// It does not know the request for several.
    Each,
    /// It does not give posts by their ids.
    Never,
}

impl Gone {
    /// Remembers a post that was shown; a later version of it only if the post is not remembered.
    pub(crate) fn hold(&mut self, id: Cursor, is_edited: bool, now: Instant) {
        if is_edited && self.held.iter().any(|(_, held)| *held == id) {
            return;
        }
        while let Some((came, _)) = self.held.front()
            && (self.held.len() >= HELD_MAX || *came + HELD_FOR < now)
        {
            self.held.pop_front();
        }
        self.held.push_back((now, id));
    }

    /// Forgets a post that was deleted.
    pub(crate) fn forget(&mut self, id: &str) {
        self.held.retain(|(_, held)| held.as_str() != id);
        self.suspects.retain(|suspect| suspect.as_str() != id);
    }

    /// The posts of a page are there.
    pub(crate) fn clear(&mut self, page: &Page) {
        if !self.suspects.is_empty() {
            let there: HashSet<&Cursor> = page.all_ids().collect();
            self.suspects.retain(|suspect| !there.contains(suspect));
        }
    }

    /// Has the server asked for every post that is remembered.
    pub(crate) fn suspect_all(&mut self) {
        if self.manner != Manner::Never {
            self.suspects = self.held.iter().rev().map(|(_, id)| id.clone()).collect();
        }
    }

    /// True unless posts wait to be asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.suspects.is_empty()
    }

    fn take(&mut self) -> Vec<Cursor> {
        let count = if self.manner == Manner::Several { ASKED_MAX } else { 1 };
        let count = count.min(self.suspects.len());
        self.suspects.drain(..count).collect()
    }

    fn give_back(&mut self, ids: Vec<Cursor>) {
        ids.into_iter().rev().for_each(|id| self.suspects.push_front(id));
    }

    /// Posts of which nothing is known yet come once more, behind the others.
    fn ask_again(&mut self, ids: Vec<Cursor>) {
        if self.manner != Manner::Never {
            self.suspects.extend(ids);
        }
    }

    /// The server refused this manner of asking.
    fn refused(&mut self) {
        self.manner = if self.manner == Manner::Several { Manner::Each } else { Manner::Never };
        self.is_proven = false;
        self.fruitless = 0;
        if self.manner == Manner::Never {
            self.suspects.clear();
        }
    }

    /// The server gave a post, or none. True if those that it did not give may be believed to be gone.
    fn answered(&mut self, has_given: bool) -> bool {
        self.is_proven |= has_given;
        if !self.is_proven {
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS_MAX {
                self.refused();
            }
        }
        self.is_proven
    }
}

/// Asks a server for its suspects, slowly.
pub(crate) struct Looker {
    source: Arc<Source>,
    /// The request under way, and what it asks for.
    asking: Option<(Vec<Cursor>, Answer)>,
    due: Instant,
}

type Answer = BoxFuture<'static, Result<Looked, SourceError>>;

/// What a request found.
struct Looked {
    page: Page,
    gone: Vec<Cursor>,
    /// Those of which nothing is known yet.
    open: Vec<Cursor>,
}

impl Looker {
    pub(crate) fn new(source: Arc<Source>) -> Looker {
        Looker { source, asking: None, due: Instant::now() }
    }

    /// The arrivals of the next answer; pending while nothing is to be asked. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arrival>, SourceError> {
        loop {
            let Some((_, answer)) = &mut self.asking else {
                if self.source.gone().is_idle() {
                    future::pending::<()>().await;
                }
                sleep_until(self.due).await;
                let asked = self.source.gone().take();
                if !asked.is_empty() {
                    self.asking = Some((asked.clone(), look(self.source.clone(), asked).boxed()));
                }
                continue;
            };
            let answer = answer.await;
            // Three times as many requests are allowed as of pages by id; these have a quarter.
            let pages_max = self.source.settings().paged_requests_max;
            self.due = Instant::now() + PAGED_WINDOW / (3 * pages_max / 4).max(1);
            let asked = self.asking.take().map(|(asked, _)| asked).unwrap_or_default();
            match answer {
                Ok(looked) => return Ok(self.take(looked)),
                Err(SourceError::Refused { .. }) => {
                    let mut gone = self.source.gone();
                    gone.give_back(asked);
                    gone.refused();
                }
                Err(error) => {
                    self.source.gone().give_back(asked);
                    self.due = Instant::now() + self.source.settings().overlap_long;
                    return Err(error);
                }
            }
        }
    }

    fn take(&self, looked: Looked) -> Vec<Arrival> {
        let Looked { page, gone, open } = looked;
        self.source.gone().ask_again(open);
        let now = Utc::now();
        let deletes: Vec<Frame> =
            gone.iter().map(|id| Frame { kind: FrameKind::Delete, data: id.as_str().to_owned().into() }).collect();
        let mut arrivals: Vec<Arrival> = self.source.arrivals(page).collect();
        arrivals.extend(deletes.iter().map(|frame| self.source.translate(frame, now)));
        arrivals
    }
}

/// What was not answered is asked for again with the server's next stream or polls.
impl Drop for Looker {
    fn drop(&mut self) {
        if let Some((asked, _)) = self.asking.take() {
            self.source.gone().give_back(asked);
        }
    }
}

async fn look(source: Arc<Source>, asked: Vec<Cursor>) -> Result<Looked, SourceError> {
    let manner = source.gone().manner;
    let page = match (manner, asked.first()) {
        (Manner::Several, _) | (_, None) => source.statuses(&asked).await?,
        (_, Some(id)) => match source.status(id).await {
            Err(error) if is_gone(&error) => Page::none(),
            answer => answer?,
        },
    };
    let given: HashSet<&Cursor> = page.all_ids().collect();
    let missing: Vec<Cursor> = asked.iter().filter(|id| !given.contains(id)).cloned().collect();
    let is_believed = source.gone().answered(!given.is_empty());
    let (mut gone, mut open) = (Vec::new(), Vec::new());
    for id in missing {
        if !is_believed {
            open.push(id);
            continue;
        }
        // The list lacks it: the server's own word for this one.
        match source.status(&id).await {
            Err(error) if is_gone(&error) => gone.push(id),
            Err(error @ SourceError::Refused { .. }) => tracing::debug!(%error, %id, "not known whether it is gone"),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(Looked { page, gone, open })
}

/// True if the server itself says that it does not have the post.
fn is_gone(error: &SourceError) -> bool {
    matches!(error, SourceError::Refused { status: StatusCode::NOT_FOUND | StatusCode::GONE, message: Some(_), .. })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(n: u64) -> Cursor {
        Cursor::new(&n.to_string()).unwrap()
    }

    fn holding(ids: std::ops::Range<u64>) -> Gone {
        let mut gone = Gone::default();
        ids.for_each(|id| gone.hold(at(id), false, Instant::now()));
        gone
    }

    #[test]
    fn the_newest_are_asked_for_first_and_twenty_at_once() {
        let mut gone = holding(0..50);
        assert!(gone.is_idle());
        gone.suspect_all();
        let asked = gone.take();
        assert_eq!(asked, (30..50).rev().map(at).collect::<Vec<_>>());
        gone.give_back(asked.clone());
        assert_eq!(gone.take(), asked);
    }

    #[test]
    fn what_was_deleted_or_is_long_ago_is_not_asked_for() {
        let (mut gone, now) = (Gone::default(), Instant::now());
        gone.hold(at(1), false, now);
        gone.hold(at(2), false, now + HELD_FOR);
        gone.hold(at(3), false, now + HELD_FOR + Duration::from_secs(1));
        gone.hold(at(3), true, now + HELD_FOR + Duration::from_secs(1));
        gone.forget("2");
        gone.suspect_all();
        assert_eq!(gone.take(), [at(3)]);
    }

    #[test]
    fn posts_are_remembered_up_to_a_number() {
        let gone = holding(0..2 * HELD_MAX as u64);
        assert_eq!(gone.held.len(), HELD_MAX);
        assert_eq!(gone.held[0].1, at(HELD_MAX as u64));
    }

    #[test]
    fn a_server_that_gives_nothing_is_believed_nothing() {
        let mut gone = holding(0..50);
        gone.suspect_all();
        for _ in 0..FRUITLESS_MAX {
            assert!(!gone.answered(false));
        }
        assert_eq!(gone.manner, Manner::Each);
        assert_eq!(gone.take().len(), 1);
        for _ in 0..FRUITLESS_MAX {
            assert!(!gone.answered(false));
        }
        assert_eq!(gone.manner, Manner::Never);
        gone.suspect_all();
        assert!(gone.is_idle());
        gone.ask_again(vec![at(7)]);
        assert!(gone.is_idle());
    }

    #[test]
    fn a_server_that_gave_one_is_believed() {
        let mut gone = holding(0..50);
        assert!(gone.answered(true) && gone.answered(false));
    }
}
