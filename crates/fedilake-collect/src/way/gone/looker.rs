//! Asks a server for its posts that may be gone.
//!
//! A post is believed to be gone only if the server gave other posts in the same way, and says in words of its own that it does not
//! have this one: a proxy's page that nothing is there deletes nothing. Servers without the request for several are asked for each; what
//! they lack counts if they give another post right after and lack it once more, for a server that is ill may lack all.
//!
//! These requests have half of what Mastodon allows beside pages by id: some 560 posts a minute. A server that shows more than four posts a
//! second is asked for the last ones at their times, and for fewer of them. While suspects wait they have all but a third of what the
//! server announces, up to a request a second.

use std::collections::HashSet;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_model::{Frame, FrameKind};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::Manner;
use crate::server::error::SourceError;
use crate::server::limits::PAGED_WINDOW;
use crate::way::arrival::Arrival;
use crate::way::backoff::Backoff;
use crate::way::cursor::Cursor;
use crate::way::page::Page;
use crate::way::source::Source;

/// The shortest time from an answer to the next request, where the server would allow more.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Asks a server for its suspects, slowly.
pub(crate) struct Looker {
    source: Arc<Source>,
    /// The request under way, and what it asks for.
    asking: Option<(Vec<Cursor>, Answer)>,
    due: Instant,
    backoff: Backoff,
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
        Looker { source, asking: None, due: Instant::now(), backoff: Backoff::default() }
    }

    /// The arrivals of the next answer; pending while nothing is to be asked. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Vec<Arrival>, SourceError> {
        loop {
            let Some((_, answer)) = &mut self.asking else {
                let due = self.source.gone().due(Instant::now());
                match due {
                    Some(due) => sleep_until(due.max(self.due)).await,
                    None => future::pending().await,
                }
                let asked = self.source.gone().take(Instant::now());
                if !asked.is_empty() {
                    self.asking = Some((asked.clone(), look(self.source.clone(), asked).boxed()));
                }
                continue;
            };
            let answer = answer.await;
            self.due = Instant::now() + self.interval();
            let asked = self.asking.take().map(|(asked, _)| asked).unwrap_or_default();
            match answer {
                Ok(looked) => {
                    self.backoff.reset();
                    if !looked.open.is_empty() {
                        self.due = Instant::now() + self.source.settings().overlap_long;
                    }
                    return Ok(self.take(looked));
                }
                Err(error) if is_unknown(&error) => {
                    let mut gone = self.source.gone();
                    gone.give_back(asked);
                    gone.refused();
                }
                // The server may be ill, or let nobody in for a while.
                Err(error) => {
                    self.source.gone().give_back(asked);
                    self.due = Instant::now() + self.backoff.next(&error, self.source.settings());
                    return Err(error);
                }
            }
        }
    }

    /// The time from an answer to the next request.
    fn interval(&self) -> Duration {
        // Three times as many requests are allowed as of pages by id; these have half.
        let usual = PAGED_WINDOW / (3 * self.source.settings().paged_requests_max / 2).max(1);
        let spare = if self.source.gone().is_idle() { None } else { self.source.spare_interval() };
        spare.map_or(usual, |spare| spare.max(INTERVAL_MIN).min(usual))
    }

    fn take(&self, looked: Looked) -> Vec<Arrival> {
        let Looked { page, gone, open } = looked;
        {
            let mut suspects = self.source.gone();
            suspects.ask_again(open);
            gone.iter().for_each(|id| suspects.suspect_author_of(id));
        }
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
            Err(error) if is_gone(&error) => witness(&source, id).await?,
            answer => answer?,
        },
    };
    let given: HashSet<&Cursor> = page.all_ids().collect();
    let missing: Vec<Cursor> = asked.iter().filter(|id| !given.contains(id)).cloned().collect();
    let is_proven = source.gone().answered(!given.is_empty());
    let is_believed = if manner == Manner::Several { is_proven } else { !given.is_empty() };
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

/// Another post than this one, if the server gives any.
async fn witness(source: &Source, id: &Cursor) -> Result<Page, SourceError> {
    let witnesses = source.gone().witnesses(id);
    for witness in &witnesses {
        match source.status(witness).await {
            Err(error) if is_gone(&error) => {}
            answer => return answer,
        }
    }
    Ok(Page::none())
}

/// True for the answer of a server that does not know the request.
fn is_unknown(error: &SourceError) -> bool {
    let statuses =
        [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED];
    matches!(error, SourceError::Refused { status, .. } | SourceError::Failed { status, .. } if statuses.contains(status))
}

/// True if the server itself says that it does not have the post.
fn is_gone(error: &SourceError) -> bool {
    matches!(error, SourceError::Refused { status: StatusCode::NOT_FOUND | StatusCode::GONE, message: Some(_), .. })
}
