//! Scopes of filters that were asked for: the reports of a page, which have one filter, look its names up once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::Filter;
use crate::answer::scope::Scope;
use crate::lake::lock;

/// The most scopes that are kept.
const KEPT: usize = 32;

/// The scopes of one state of the lake.
#[derive(Default)]
pub(crate) struct Scopes {
    /// Counts the beginnings and ends of commits.
    commits: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    state: State,
    /// Filter and time zone of each scope, the oldest first.
    scopes: Vec<(Filter, String, Arc<Scope>)>,
}

/// A state of the lake between two commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u64);

/// A commit that goes on until this is dropped.
pub(crate) struct Commit<'a>(&'a AtomicU64);

impl Scopes {
    /// Notes that a commit begins.
    pub(crate) fn commit(&self) -> Commit<'_> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        Commit(&self.commits)
    }

    /// The present state; None during a commit. A snapshot of the lake that was made while the state was the same before and
    /// after is one of this state.
    pub(crate) fn state(&self) -> Option<State> {
        let commits = self.commits.load(Ordering::SeqCst);
        commits.is_multiple_of(2).then_some(State(commits))
    }

    /// The scope of a filter in a state, if it is known.
    pub(crate) fn known(&self, state: State, filter: &Filter, zone: &str) -> Option<Arc<Scope>> {
        let known = lock(&self.known);
        let mut scopes = known.scopes.iter().filter(|_| known.state == state);
        scopes.find(|(of, at, _)| of == filter && at == zone).map(|(_, _, scope)| Arc::clone(scope))
    }

    /// Keeps the scope of a filter in a state.
    pub(crate) fn keep(&self, state: State, filter: &Filter, zone: &str, scope: Arc<Scope>) {
        let mut known = lock(&self.known);
        if known.state != state {
            *known = Known { state, scopes: Vec::new() };
        }
        if known.scopes.len() == KEPT {
            known.scopes.remove(0);
        }
        known.scopes.push((filter.clone(), zone.to_owned(), scope));
    }
}

impl Drop for Commit<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lake, LakeOptions};

    #[test]
    fn a_scope_is_of_one_state_and_none_is_known_during_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(&folder.path().join("lake.duckdb"), LakeOptions::default()).unwrap();
        let scope = Arc::new(lake.read(|connection| Scope::new(connection, &Filter::default(), "UTC")).unwrap());
        let scopes = Scopes::default();
        let (filter, other) = (Filter::default(), Filter { bot: Some(true), ..Filter::default() });
        let state = scopes.state().unwrap();
        let keep = |state, filter: &Filter| scopes.keep(state, filter, "UTC", Arc::clone(&scope));
        keep(state, &filter);
        assert!(scopes.known(state, &filter, "UTC").is_some());
        assert!(scopes.known(state, &filter, "Asia/Tokyo").is_none() && scopes.known(state, &other, "UTC").is_none());

        let commit = scopes.commit();
        assert_eq!(scopes.state(), None);
        drop(commit);
        let next = scopes.state().unwrap();
        assert!(next != state && scopes.known(next, &filter, "UTC").is_none());
        for n in 0..=KEPT as i64 {
            keep(next, &Filter { from: Some(n), ..Filter::default() });
        }
        let known = |n| scopes.known(next, &Filter { from: Some(n), ..Filter::default() }, "UTC").is_some();
        assert!(!known(0) && known(1) && known(KEPT as i64) && scopes.known(state, &filter, "UTC").is_none());
    }
}
