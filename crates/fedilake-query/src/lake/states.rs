//! The states of the lake between its commits, and what was found out about the present one: the reports of a page, which have one
//! filter, look its names up once.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::lake::lock;

/// The most findings that are kept.
const KEPT: usize = 32;

/// The lake's states.
#[derive(Default)]
pub(crate) struct States {
    /// Counts the beginnings and ends of commits.
    commits: AtomicU64,
    known: Mutex<Known>,
}

/// Findings of one state.
#[derive(Default)]
struct Known {
    state: State,
    /// Each with its key, the oldest first.
    findings: Vec<(String, Arc<dyn Any + Send + Sync>)>,
}

/// A state of the lake between two commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u64);

/// A commit that goes on until this is dropped.
pub(crate) struct Commit<'a>(&'a AtomicU64);

impl States {
    /// Notes that a commit begins.
    pub(crate) fn commit(&self) -> Commit<'_> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        Commit(&self.commits)
    }

    /// The present state; None during a commit. A snapshot of the lake that was made while the state was the same before and
    /// after is one of this state.
    pub(crate) fn present(&self) -> Option<State> {
        let commits = self.commits.load(Ordering::SeqCst);
        commits.is_multiple_of(2).then_some(State(commits))
    }

    /// What was kept under `key` in a state.
    pub(crate) fn known<T: Any + Send + Sync>(&self, state: State, key: &str) -> Option<Arc<T>> {
        let known = lock(&self.known);
        let mut findings = known.findings.iter().filter(|_| known.state == state);
        findings.find(|(of, _)| of == key).and_then(|(_, finding)| Arc::clone(finding).downcast().ok())
    }

    /// Keeps a finding of a state.
    pub(crate) fn keep<T: Any + Send + Sync>(&self, state: State, key: String, finding: Arc<T>) {
        let mut known = lock(&self.known);
        if known.state != state {
            *known = Known { state, findings: Vec::new() };
        }
        if known.findings.len() == KEPT {
            known.findings.remove(0);
        }
        known.findings.push((key, finding));
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

    #[test]
    fn a_finding_is_of_one_state_and_none_is_known_during_a_commit() {
        let states = States::default();
        let state = states.present().unwrap();
        states.keep(state, "a".to_owned(), Arc::new(7));
        assert_eq!(states.known::<i32>(state, "a").as_deref(), Some(&7));
        assert!(states.known::<i32>(state, "b").is_none() && states.known::<u64>(state, "a").is_none());

        let commit = states.commit();
        assert_eq!(states.present(), None);
        drop(commit);
        let next = states.present().unwrap();
        assert!(next != state && states.known::<i32>(next, "a").is_none());
        (0..=KEPT).for_each(|n| states.keep(next, n.to_string(), Arc::new(n)));
        let known = |n: usize| states.known::<usize>(next, &n.to_string()).is_some();
        assert!(!known(0) && known(1) && known(KEPT) && states.known::<i32>(state, "a").is_none());
    }
}
