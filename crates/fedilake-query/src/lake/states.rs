//! The states of the lake between its commits, and what was found out about the present one: the reports of a page, which have one
//! filter, look its names up once.

use std::any::Any;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::LakeError;
use crate::lake::lock;

/// The most findings that are kept.
const KEPT: usize = 128;

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

/// The findings that a question about one snapshot uses, and those that it makes. The default has none.
#[derive(Default)]
pub(crate) struct Findings<'a> {
    /// The state before the snapshot was made.
    state: Option<(&'a States, State)>,
    are_used: Cell<bool>,
}

impl<'a> Findings<'a> {
    /// Those of the present state, for a snapshot that is made afterwards.
    pub(crate) fn present(states: &'a States) -> Findings<'a> {
        Findings { state: states.present().map(|state| (states, state)), are_used: Cell::new(false) }
    }

    /// What is known under `key`, or what `find` reads from the snapshot.
    pub(crate) fn once<T: Any + Send + Sync>(
        &self,
        key: &str,
        find: impl FnOnce() -> Result<T, LakeError>,
    ) -> Result<Arc<T>, LakeError> {
        if let Some(known) = self.state.and_then(|(states, state)| states.known(state, key)) {
            self.are_used.set(true);
            return Ok(known);
        }
        let found = Arc::new(find()?);
        if let Some((states, state)) = self.state.filter(|_| self.is_unchanged()) {
            states.keep(state, key.to_owned(), Arc::clone(&found));
        }
        Ok(found)
    }

    /// True if all that was used is of the snapshot's state.
    pub(crate) fn are_of_the_snapshot(&self) -> bool {
        !self.are_used.get() || self.is_unchanged()
    }

    fn is_unchanged(&self) -> bool {
        self.state.is_some_and(|(states, state)| states.present() == Some(state))
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
        let known = |findings: &Findings<'_>| *findings.once("c", || Ok(next)).unwrap() == next;
        let (first, second) = (Findings::present(&states), Findings::present(&states));
        assert!(known(&first) && known(&second));
        drop(states.commit());
        assert!(
            first.are_of_the_snapshot() && !second.are_of_the_snapshot(),
            "only the second used what the first found"
        );
        assert!(Findings::default().once("c", || Err::<State, _>(LakeError::Interrupted)).is_err());

        let next = states.present().unwrap();
        (0..=KEPT).for_each(|n| states.keep(next, n.to_string(), Arc::new(n)));
        let known = |n: usize| states.known::<usize>(next, &n.to_string()).is_some();
        assert!(!known(0) && known(1) && known(KEPT) && states.known::<i32>(state, "a").is_none());
    }
}
