//! The names of a timeline's bookmarks.

use fedilake_log::{Bookmarks, LogError};
use fedilake_model::Server;

use crate::server::config::ServerConfig;
use crate::server::timeline::Timeline;

/// The beginning of the names of timelines' bookmarks.
const TIMELINES: &str = "timeline/";
/// The end of the names of their histories.
const HISTORY: &str = "/history";
/// The beginning of the names under which timelines' last posts are kept.
const RECENT: &str = "recent/";

/// The name of the bookmark of a server's timeline.
pub(crate) fn name(config: &ServerConfig) -> String {
    name_of(&config.address.server, &config.timeline)
}

/// The name of a timeline's bookmark.
pub fn name_of(server: &Server, timeline: &Timeline) -> String {
    format!("{TIMELINES}{server}/{timeline}")
}

/// The name under which a timeline's history is kept, beside its bookmark.
pub(crate) fn history_of(server: &Server, timeline: &Timeline) -> String {
    format!("{}{HISTORY}", name_of(server, timeline))
}

/// The beginning of the names under which a timeline's last posts are kept.
pub(crate) fn recent_of(server: &Server, timeline: &Timeline) -> String {
    format!("{RECENT}{server}/{timeline}/")
}

/// The histories that were saved last, by any process: each with its server.
pub(crate) async fn histories(bookmarks: &dyn Bookmarks) -> Result<Vec<(String, String)>, LogError> {
    let server = |name: &str| {
        let (server, timeline) = name.strip_prefix(TIMELINES)?.strip_suffix(HISTORY)?.rsplit_once('/')?;
        Timeline::parse(timeline).map(|_| server.to_owned())
    };
    let found = bookmarks.named(TIMELINES).await?;
    Ok(found.into_iter().filter_map(|(name, text)| Some((server(&name)?, text))).collect())
}
