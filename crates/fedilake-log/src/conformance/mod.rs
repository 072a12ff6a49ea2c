//! The conformance suite of logs, which every implementation runs.
//!
//! The suite uses only the traits of a log: several partitions or one, offsets with or without holes, assignments
//! that come and go. A broken property panics with its name. Each property begins with a new log.
//!
//! ```text
//! conformance::run(|| async { MyLog::empty().await }).await;
//! ```

mod appends;
mod bookmarks;
mod positions;
mod reads;
mod restarts;
mod witness;

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Bookmarks, Log, LogWriter};

/// One log under test: empty when it is made, and written by nobody else.
#[async_trait]
pub trait Subject: Sized + Send + Sync {
    /// A writer; all writers append to the same log.
    fn writer(&self) -> Arc<dyn LogWriter>;

    /// The log's bookmarks.
    fn bookmarks(&self) -> Arc<dyn Bookmarks>;

    /// The log itself.
    fn log(&self) -> Arc<dyn Log>;

    /// Closes the log and opens it again. Called when nothing else of the log is left.
    async fn reopen(self) -> Self;
}

/// Runs every property on logs that `make` makes.
pub async fn run<S, Made>(make: impl Fn() -> Made)
where
    S: Subject,
    Made: Future<Output = S>,
{
    appends::records_of_a_key_keep_their_order(make().await).await;
    appends::records_come_back_as_they_were_given(make().await).await;
    appends::appending_nothing_adds_nothing(make().await).await;
    appends::appends_at_the_same_time_are_all_there(make().await).await;
    appends::time_does_not_go_back(make().await).await;

    reads::nothing_comes_before_the_first_seek(make().await).await;
    reads::next_waits_for_records(make().await).await;
    reads::a_dropped_next_loses_nothing(make().await).await;
    reads::readers_are_independent(make().await).await;
    reads::a_reader_follows_a_writer(make().await).await;

    positions::bounds_enclose_what_is_there(make().await).await;
    positions::a_seek_decides_what_comes_next(make().await).await;
    positions::a_seek_beyond_the_end_is_refused(make().await).await;
    positions::a_seek_discards_what_was_being_read(make().await).await;
    positions::a_partition_that_is_not_there_is_refused(make().await).await;
    positions::releasing_forgets_nothing_above(make().await).await;
    positions::what_is_released_is_refused_or_still_there(make().await).await;

    bookmarks::a_bookmark_is_what_was_saved_last(make().await).await;
    bookmarks::bookmarks_are_found_by_the_beginning_of_their_names(make().await).await;
    bookmarks::bookmarks_do_not_disturb_each_other(make().await).await;

    restarts::everything_acknowledged_survives(make().await).await;
    restarts::offsets_go_on_after_a_restart(make().await).await;
    restarts::a_released_log_goes_on_after_a_restart(make().await).await;
    restarts::each_log_has_an_identity(make().await, make().await).await;
}
