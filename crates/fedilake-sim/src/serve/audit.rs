//! An audit: a collection beside the truth, to say what was lost, doubled or is stale.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::truth::TruthPost;

/// A post as a collection holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The post's identity.
    pub uri: String,
    /// The date of its last edit, in milliseconds since 1970.
    pub edited_at_ms: Option<i64>,
}

/// The result, by uri. An empty one is a collection without fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Posts that servers still show.
    pub shown: usize,
    /// Shown, but not held.
    pub missing: Vec<String>,
    /// Held more than once.
    pub doubled: Vec<String>,
    /// Held in another version than the newest that is shown.
    pub stale: Vec<String>,
    /// Held, though no server shows it any more.
    pub undeleted: Vec<String>,
    /// Held, but unknown to every server: never published, or forgotten since.
    pub unknown: Vec<String>,
}

impl Audit {
    /// Compares. A post counts as shown while a server shows it, unless its own server is among them and took it away.
    pub fn of(truth: &[TruthPost], held: impl IntoIterator<Item = Held>) -> Audit {
        let mut newest: BTreeMap<&str, Option<Option<i64>>> = BTreeMap::new();
        let mut taken_away = Vec::new();
        for post in truth {
            let entry = newest.entry(&post.uri).or_insert(None);
            match post.deleted_at_ms {
                None => *entry = Some(entry.flatten().max(post.edited_at_ms)),
                Some(_) if post.local => taken_away.push(post.uri.as_str()),
                Some(_) => {}
            }
        }
        for uri in taken_away {
            newest.insert(uri, None);
        }
        let mut versions: BTreeMap<String, Vec<Option<i64>>> = BTreeMap::new();
        for post in held {
            versions.entry(post.uri).or_default().push(post.edited_at_ms);
        }
        let shown = newest.iter().filter(|(_, newest)| newest.is_some());
        let missing = shown.clone().map(|(uri, _)| (*uri).to_owned()).filter(|uri| !versions.contains_key(uri));
        let mut audit = Audit { shown: shown.clone().count(), missing: missing.collect(), ..Audit::default() };
        for (uri, held) in versions {
            if held.len() > 1 {
                audit.doubled.push(uri.clone());
            }
            match newest.get(uri.as_str()) {
                None => audit.unknown.push(uri),
                Some(None) => audit.undeleted.push(uri),
                Some(Some(newest)) if held.iter().any(|version| version != newest) => audit.stale.push(uri),
                Some(Some(_)) => {}
            }
        }
        audit
    }

    /// True if nothing is missing, doubled, stale, undeleted or unknown.
    pub fn is_clean(&self) -> bool {
        self.findings().iter().all(|(_, uris)| uris.is_empty())
    }

    fn findings(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("missing", &self.missing),
            ("doubled", &self.doubled),
            ("stale", &self.stale),
            ("undeleted", &self.undeleted),
            ("unknown", &self.unknown),
        ]
    }
}

/// Uris of a finding that are named.
const NAMED_MAX: usize = 5;

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} posts shown", self.shown)?;
        for (name, uris) in self.findings() {
            write!(f, ", {} {name}", uris.len())?;
        }
        for (name, uris) in self.findings() {
            for uri in uris.iter().take(NAMED_MAX) {
                write!(f, "\n{name}: {uri}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(uri: &str, local: bool, edited_at_ms: Option<i64>, deleted_at_ms: Option<i64>) -> TruthPost {
        TruthPost {
            server: "one".to_owned(),
            id: "1".to_owned(),
            uri: uri.to_owned(),
            author: "ann@one".to_owned(),
            local,
            created_at_ms: 0,
            shown_at_ms: 0,
            edits: u32::from(edited_at_ms.is_some()),
            edited_at_ms,
            deleted_at_ms,
            characters: 1,
        }
    }

    #[test]
    fn each_finding_has_its_name() {
        let truth = [
            truth("kept", true, None, None),
            truth("lost", true, None, None),
            truth("edited", true, Some(5), None),
            truth("edited", false, None, None),
            truth("gone", true, None, Some(1)),
            truth("gone", false, None, None),
            truth("gone elsewhere", false, None, Some(1)),
            truth("gone elsewhere", true, None, None),
        ];
        let held = |uri: &str, edited_at_ms| Held { uri: uri.to_owned(), edited_at_ms };
        let good = [held("kept", None), held("lost", None), held("edited", Some(5)), held("gone elsewhere", None)];
        let clean = Audit::of(&truth, good.clone());
        assert!(clean.is_clean() && clean.shown == 4, "{clean}");
        let bad = [held("kept", None), held("kept", None), held("edited", None), held("gone", None), held("new", None)];
        let audit = Audit::of(&truth, bad);
        let found = audit.findings().map(|(_, uris)| uris.join(" "));
        assert_eq!(found, ["gone elsewhere lost", "kept", "edited", "gone", "new"].map(str::to_owned));
    }
}
