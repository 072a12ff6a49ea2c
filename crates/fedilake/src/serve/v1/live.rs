//! The lake's changes as they come: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract;
use axum::response::sse::{Event, KeepAlive, Sse};
use fedilake_query::answer::lookup::Lookup;
use futures::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use utoipa::ToSchema;

use super::download::json;
use super::shared::Asks;
use super::{Problem, Shared};
use crate::serve::State;
use crate::serve::snapshot::SnapshotId;

/// The shortest time between two events.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two lines, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The lake at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct LiveSnapshot {
    /// The state's name: panels with the same name need not be asked for again.
    snapshot: String,
    /// Posts that the lake shows.
    posts: u64,
    /// The greatest created_at: RFC 3339, UTC.
    newest: Option<String>,
    /// The lake has every post that was collected longer ago than this.
    behind_seconds: f64,
}

/// Posts of the lake, and the newest of them.
#[derive(Debug, Deserialize)]
struct Standing {
    posts: u64,
    newest: Option<String>,
}

/// Follows the lake.
///
/// An event `snapshot` comes at once, then one when the lake has changed, at most one a second.
#[utoipa::path(
    get, path = "/live", tag = "live",
    responses((status = 200, description = "Events", content_type = "text/event-stream", body = LiveSnapshot))
)]
pub(super) async fn live(extract::State(state): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let live = Live { reached: state.reached.clone(), state, told: None, next_at: Instant::now() };
    let events = futures::stream::unfold(live, |mut live| async {
        let questions = live.state.questions.clone();
        let event = questions.run_until_cancelled(live.next()).await??;
        Some((Ok(event), live))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Live {
    state: Arc<State>,
    reached: crate::serve::Reached,
    told: Option<SnapshotId>,
    next_at: Instant,
}

impl Live {
    /// The next event; None when the follower has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.told.is_some() {
                self.reached.changed().await.ok()?;
            }
            sleep_until(self.next_at).await;
            self.reached.mark_unchanged();
            let id = self.state.snapshot();
            if self.told == Some(id) {
                continue;
            }
            self.next_at = Instant::now() + PAUSE;
            match self.state.standing(id).await {
                Ok(Standing { posts, newest }) => {
                    self.told = Some(id);
                    let behind_seconds = (self.state.distance)().seconds;
                    let snapshot = LiveSnapshot { snapshot: id.to_string(), posts, newest, behind_seconds };
                    return Some(Event::default().event("snapshot").json_data(snapshot).expect("it is JSON"));
                }
                // The lake's process may be starting again.
                Err(problem) => {
                    tracing::debug!(why = problem.fault().message, "count posts");
                    self.told = None;
                }
            }
        }
    }
}

impl State {
    /// The posts of a state, counted once for everyone who follows.
    async fn standing(self: &Arc<Self>, id: SnapshotId) -> Result<Standing, Problem> {
        let answer = self.shared(id, Asks::LookUp(Lookup::Standing), |rows| json(&rows)).await?;
        let mut rows: Vec<Standing> = serde_json::from_slice(&answer).map_err(Problem::internal)?;
        rows.pop().ok_or_else(|| Problem::internal("no row"))
    }
}
