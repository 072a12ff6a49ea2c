//! The operator's policy on consent: what the log gets of an event, and which authors said no.
//!
//! [`admit`](crate::admit) knows what an author's profile refuses. Beyond it an [`Admission`] has what the operator decided:
//! - the [`Policy`] on `indexable`: under `indexable` a post of an author who did not agree counts without her name, under
//!   `strict` it is not kept;
//! - the accounts and domains that opted out.
//!
//! **Hashed posts.** Id, uri and author are HMACs under the installation's [`Key`], so that versions and sightings of one
//! post still meet. A delete tells a server's own id and not which of the two forms was kept, perhaps under another policy,
//! so it is written in both: as the server told it, and under the hash of its id. Without a key nothing was ever hashed.
//!
//! **An author who says no later.** An edit that may not be kept becomes a delete of what it edited. The author is noted
//! ([`Refusals`]), and whoever knows what is held of her deletes the rest.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use fedilake_model::{Deletion, InReplyTo, Post, PostEvent, Server};
use xxhash_rust::xxh3::xxh3_64;

use crate::admit::{Skipped, admit_post};
use crate::opt_out::OptOut;

/// What is kept of the posts of authors who did not agree to be indexed (FEP-5feb; missing is no).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Everything, as of other authors.
    #[default]
    Open,
    /// The posts under keyed hashes, without their texts and without the author's name.
    Indexable,
    /// Nothing.
    Strict,
}

impl Policy {
    /// Reads `open`, `indexable` or `strict`.
    pub fn parse(text: &str) -> Option<Policy> {
        [Policy::Open, Policy::Indexable, Policy::Strict].into_iter().find(|policy| policy.as_str() == text)
    }

    /// The policy's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Policy::Open => "open",
            Policy::Indexable => "indexable",
            Policy::Strict => "strict",
        }
    }
}

/// The installation's key for hashed posts. Whoever has it can find out whose they are.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// The length of a key: bytes.
    pub const BYTES: usize = 32;

    /// Takes random bytes, as a key file has them.
    pub fn new(bytes: &[u8; Key::BYTES]) -> Key {
        Key(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The first half of the HMAC-SHA256 of `parts`, in hexadecimal digits. `purpose` keeps ids, uris and authors apart.
    fn hash(&self, purpose: &str, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [purpose].iter().chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
        context.sign().as_ref()[..16].iter().flat_map(digits).collect()
    }

    fn id(&self, server: &Server, id: &str) -> String {
        self.hash("id", &[server.as_str(), id])
    }

    fn uri(&self, uri: &str) -> String {
        format!("urn:fedilake:{}", self.hash("uri", &[uri]))
    }

    fn author(&self, author: &str, domain: &str) -> String {
        format!("{}@{domain}", self.hash("author", &[&author.to_lowercase()]))
    }

    /// Takes from a post what names its author or was written by her. Dates, the home server, language, lengths and counts stay.
    fn hide(&self, post: &mut Post) {
        post.id = self.id(&post.server, &post.id);
        post.uri = self.uri(&post.uri);
        post.author = self.author(&post.author, &post.author_domain);
        post.quote_uri = post.quote_uri.as_deref().map(|uri| self.uri(uri));
        post.in_reply_to_id = post.in_reply_to_id.as_deref().map(|id| self.id(&post.server, id));
        post.in_reply_to_author = (post.in_reply_to == InReplyTo::SelfPost).then(|| post.author.clone());
        post.url = None;
        post.app = None;
        // Together with the home server either is nearly a name.
        post.author_created_at = None;
        post.author_followers = None;
        for text in [&mut post.text, &mut post.spoiler_text] {
            *text = String::new();
        }
        for list in [&mut post.tags, &mut post.mentions, &mut post.links] {
            *list = Vec::new();
        }
        post.hashed = true;
    }

    fn hidden(&self, deletion: &Deletion) -> Deletion {
        Deletion { id: self.id(&deletion.server, &deletion.id), ..deletion.clone() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The outcome for one event.
#[derive(Debug)]
pub struct Admitted {
    /// The event for the log.
    pub event: Option<PostEvent>,
    /// Deletes for the log, beside it.
    pub deletes: Vec<Deletion>,
    /// Why the event itself is not kept.
    pub skipped: Option<Skipped>,
    /// The author's word, to be passed to [`Admission::hear`] in the order of the events.
    pub word: Option<Word>,
}

impl Admitted {
    /// The number of records.
    pub fn records(&self) -> usize {
        usize::from(self.event.is_some()) + self.deletes.len()
    }

    /// All events for the log.
    pub fn events(self) -> impl Iterator<Item = PostEvent> {
        self.event.into_iter().chain(self.deletes.into_iter().map(PostEvent::Deleted))
    }
}

/// What an event says of its author's will.
#[derive(Debug)]
pub struct Word {
    /// A hash of the author's name, within this process.
    author: u64,
    /// Set if she said no.
    refusal: Option<Refusal>,
}

/// An author who said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `user@domain`, in lower case.
    pub author: String,
    /// When it was seen. What was seen later is not meant.
    pub at: DateTime<Utc>,
    /// True if she withdrew `indexable` alone: what was kept without it stays.
    pub is_of_indexing: bool,
}

/// The policy, with what it remembers. Cheap to clone; clones share the memory.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    policy: Policy,
    key: Option<Key>,
    opt_out: Arc<RwLock<Arc<OptOut>>>,
    refusals: Option<Arc<Mutex<Refusals>>>,
}

impl Admission {
    /// A policy with nobody opted out. [`Policy::Indexable`] needs the key; under other policies it is given if an earlier
    /// policy used one, so that deletes still reach what was hashed.
    pub fn new(policy: Policy, key: Option<Key>) -> Admission {
        assert!(key.is_some() || policy != Policy::Indexable, "the policy hashes");
        Admission { policy, key, ..Admission::default() }
    }

    /// The same, noting who says no for [`Admission::refusals`].
    pub fn with_refusals(mut self) -> Admission {
        self.refusals = Some(Arc::default());
        self
    }

    /// Replaces the list of those who opted out, for all clones.
    pub fn set_opt_out(&self, opt_out: OptOut) {
        *self.opt_out.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(opt_out);
    }

    /// The list of those who opted out.
    pub fn opt_out(&self) -> Arc<OptOut> {
        self.opt_out.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Decides on an event, and notes its author's word.
    pub fn admit(&self, event: PostEvent) -> Admitted {
        let mut admitted = self.judge(event);
        self.hear(admitted.word.take());
        admitted
    }

    /// The deletes of what one server showed of an author who said no, at `at`: of these ids, in each form in which they may be kept.
    pub fn deletes(&self, server: &Server, ids: impl Iterator<Item = String>, at: DateTime<Utc>) -> Vec<Deletion> {
        let both = |id| {
            let plain = Deletion { server: server.clone(), id, observed_at: at };
            [self.key.as_ref().map(|key| key.hidden(&plain)), Some(plain)]
        };
        ids.flat_map(both).flatten().collect()
    }

    /// True if the event itself is kept, in whatever form.
    pub fn keeps(&self, event: &PostEvent) -> bool {
        event.post().is_none_or(|post| self.refused(post).is_none())
    }

    /// Decides on an event. Its author's word is left to be heard.
    pub fn judge(&self, mut event: PostEvent) -> Admitted {
        let is_edit =
            matches!(event, PostEvent::Edited(_)) || event.post().is_some_and(|post| post.edited_at.is_some());
        let (post, word) = match &mut event {
            PostEvent::Deleted(deletion) => {
                let deletes = self.key.as_ref().map(|key| key.hidden(deletion)).into_iter().collect();
                return Admitted { event: Some(event), deletes, skipped: None, word: None };
            }
            PostEvent::Created(post) | PostEvent::Edited(post) => {
                let word = self.refusals.is_some().then(|| Word { author: person(&post.author), refusal: None });
                (post, word)
            }
        };
        if let Some(skipped) = self.refused(post) {
            let is_of_author = skipped.is_of_author() || skipped == Skipped::NotPublic;
            let mut deletes = Vec::new();
            if is_edit && is_of_author {
                // The version before the edit may be held, in either form.
                let plain = deletion_of(post);
                deletes.extend(self.key.as_ref().map(|key| key.hidden(&plain)));
                deletes.push(plain);
            }
            // Other skips say nothing of the author's other posts.
            let said = |word| Word { refusal: Some(refusal(post, skipped == Skipped::NotIndexable)), ..word };
            let word = word.filter(|_| skipped.is_of_author()).map(said);
            return Admitted { event: None, deletes, skipped: Some(skipped), word };
        }
        let is_hashed = self.policy == Policy::Indexable && !post.author_indexable;
        let word = word.map(|word| Word { refusal: is_hashed.then(|| refusal(post, true)), ..word });
        let mut deletes = Vec::new();
        match &self.key {
            Some(key) if is_hashed => key.hide(post),
            // The version before may have been kept under its hash. The other way round the plain id beside the hashed one would
            // tell whose it is: what was kept with the name goes by the author's word.
            Some(key) if is_edit => deletes.push(key.hidden(&deletion_of(post))),
            _ => {}
        }
        Admitted { event: Some(event), deletes, skipped: None, word }
    }

    /// Notes an author's word; the last one counts.
    pub fn hear(&self, word: Option<Word>) {
        if let (Some(refusals), Some(word)) = (&self.refusals, word) {
            refusals.lock().unwrap_or_else(PoisonError::into_inner).hear(word);
        }
    }

    /// Takes the authors who said no since the last call, and whose last word it is. An author is told once, until she agrees
    /// again.
    pub fn refusals(&self) -> Vec<Refusal> {
        let Some(refusals) = &self.refusals else { return Vec::new() };
        refusals.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts refusals back that nobody could act on.
    pub fn hear_again(&self, refusals: Vec<Refusal>) {
        for refusal in refusals {
            if let Some(memory) = &self.refusals {
                let author = person(&refusal.author);
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                memory.told.remove(&author);
                memory.hear(Word { author, refusal: Some(refusal) });
            }
        }
    }

    /// The names under which posts of `user@domain`, in lower case, may be held: the plain one, and the hashed one if there is
    /// a key.
    pub fn names(&self, author: &str) -> impl Iterator<Item = String> + use<> {
        let domain = author.rsplit('@').next().unwrap_or_default();
        let hashed = self.key.as_ref().map(|key| key.author(author, domain));
        [Some(author.to_owned()), hashed].into_iter().flatten()
    }

    fn refused(&self, post: &Post) -> Option<Skipped> {
        let by_profile = admit_post(post).err();
        let opted_out = || self.opt_out().has(&post.author, &post.author_domain).then_some(Skipped::OptedOut);
        let not_indexable =
            || (self.policy == Policy::Strict && !post.author_indexable).then_some(Skipped::NotIndexable);
        by_profile.or_else(opted_out).or_else(not_indexable)
    }
}

/// The most authors that are remembered. Beyond it the memory begins anew, and authors are told twice.
const AUTHORS_MAX: usize = 500_000;

/// Who said no.
#[derive(Debug, Default)]
struct Refusals {
    /// Not told yet.
    new: HashMap<u64, Refusal>,
    told: HashSet<u64>,
}

impl Refusals {
    fn hear(&mut self, Word { author, refusal }: Word) {
        match refusal {
            None => {
                self.new.remove(&author);
                self.told.remove(&author);
            }
            Some(refusal) if !self.told.contains(&author) && self.new.len() < AUTHORS_MAX => {
                let said = self.new.entry(author).or_insert_with(|| refusal.clone());
                said.at = said.at.max(refusal.at);
                said.is_of_indexing &= refusal.is_of_indexing;
            }
            Some(_) => {}
        }
    }

    fn take(&mut self) -> Vec<Refusal> {
        if self.told.len() > AUTHORS_MAX {
            self.told.clear();
        }
        let taken: Vec<(u64, Refusal)> = self.new.drain().collect();
        self.told.extend(taken.iter().map(|(author, _)| *author));
        taken.into_iter().map(|(_, refusal)| refusal).collect()
    }
}

fn deletion_of(post: &Post) -> Deletion {
    Deletion { server: post.server.clone(), id: post.id.clone(), observed_at: post.observed_at }
}

fn refusal(post: &Post, is_of_indexing: bool) -> Refusal {
    Refusal { author: post.author.to_lowercase(), at: post.observed_at, is_of_indexing }
}

fn person(author: &str) -> u64 {
    xxh3_64(author.to_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fedilake_model::{Frame, FrameKind, avro};
    use proptest::prelude::*;

    use super::*;

    /// An event of a post of `secretuser`, seen at `second`.
    fn event(kind: FrameKind, id: &str, account: &str, second: i64) -> PostEvent {
        let json = format!(
            r#"{{"id":"{id}","uri":"https://a.example/users/secretuser/statuses/{id}","url":"https://a.example/@secretuser/{id}",
            "created_at":"2023-02-04T10:00:00.000Z","visibility":"public","content":"<p>secrettext <a href='https://secretlink.example'>x</a></p>",
            "spoiler_text":"secretwarning","application":{{"name":"secretapp"}},"tags":[{{"name":"secrettag"}}],
            "mentions":[{{"id":"9","acct":"secretfriend@b.example"}}],"in_reply_to_id":"secretparent","in_reply_to_account_id":"9",
            "quote":{{"quoted_status":{{"uri":"https://b.example/secretquote"}}}},
            "account":{{"id":"1","acct":"secretuser","created_at":"2011-11-11T00:00:00.000Z","followers_count":123456,{account}}}}}"#
        );
        let data = if kind == FrameKind::Delete { id.to_owned() } else { json };
        let at = DateTime::from_timestamp(second, 0).unwrap();
        PostEvent::from_api(&Frame { kind, data: data.into() }, &Server::new("a.example"), at).unwrap()
    }

    const YES: &str = r#""indexable":true"#;
    const NOT_YET: &str = r#""indexable":false"#;
    const NOBOT: &str = r##""indexable":true,"note":"#nobot""##;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; Key::BYTES])
    }

    fn indexable() -> Admission {
        Admission::new(Policy::Indexable, Some(key(7))).with_refusals()
    }

    fn keys(admitted: Admitted) -> Vec<String> {
        admitted.events().map(|event| event.key()).collect()
    }

    #[test]
    fn no_record_of_a_hashed_post_has_a_name_a_text_or_an_address_in_it() {
        for kind in [FrameKind::Update, FrameKind::StatusUpdate] {
            let admitted = indexable().admit(event(kind, "secretid", NOT_YET, 5));
            assert_eq!((admitted.records(), admitted.skipped), (1, None));
            let event = admitted.event.unwrap();
            let post = event.post().unwrap();
            assert_eq!((post.author_domain.as_str(), post.words, post.author_followers), ("a.example", 2, None));
            let record = [&event.key().into_bytes()[..], &avro::encode(&[event])[0]].concat();
            assert!(memchr::memmem::find(&record, b"secret").is_none(), "{}", String::from_utf8_lossy(&record));
        }
        assert_eq!(format!("{:?}", key(7)), "Key(…)");
    }

    #[test]
    fn a_hash_is_of_one_thing_under_one_key() {
        let hashes = [
            key(1).hash("id", &["a.example", "1"]),
            key(2).hash("id", &["a.example", "1"]),
            key(1).hash("uri", &["a.example", "1"]),
            key(1).hash("id", &["a.example1", ""]),
            key(1).hash("id", &["a.example", "2"]),
        ];
        assert_eq!(HashSet::from(hashes.clone()).len(), hashes.len());
        assert!(hashes.iter().all(|hash| hash.len() == 32));
        // However the name is written, and in another process too.
        assert_eq!(key(1).author("Ann@a.example", "a.example"), key(1).author("ann@a.example", "a.example"));
    }

    #[test]
    fn authors_are_told_once_by_their_last_word() {
        let admission = indexable();
        let say = |account: &str, second| drop(admission.admit(event(FrameKind::Update, "1", account, second)));
        let told = |at, is_of_indexing| {
            let at = DateTime::from_timestamp(at, 0).unwrap();
            vec![Refusal { author: "secretuser@a.example".to_owned(), at, is_of_indexing }]
        };
        say(NOT_YET, 1);
        say(NOBOT, 2);
        assert_eq!(admission.refusals(), told(2, false));
        say(NOBOT, 3);
        assert_eq!(admission.refusals(), []);
        say(YES, 4);
        say(NOT_YET, 5);
        assert_eq!(admission.refusals(), told(5, true));
        say(YES, 6);
        say(NOBOT, 7);
        say(YES, 8);
        assert_eq!(admission.refusals(), []);
        // A refusal that nobody could act on comes again.
        admission.hear_again(told(9, false));
        assert_eq!(admission.refusals(), told(9, false));
        // A server that says delete, or a boost, says nothing of the author.
        drop(admission.admit(event(FrameKind::Delete, "1", "", 10)));
        assert_eq!(admission.refusals(), []);
    }

    proptest! {
        /// Whatever was kept of a post, in whichever process and under whichever policy, its delete names it.
        #[test]
        fn a_delete_names_each_form_in_which_its_post_was_kept(
            id in "[0-9A-Za-z]{1,20}",
            kept in proptest::sample::select(vec![Policy::Open, Policy::Indexable, Policy::Strict]),
            then in proptest::sample::select(vec![Policy::Open, Policy::Indexable, Policy::Strict]),
            is_edit: bool,
            agrees: bool,
        ) {
            let kind = if is_edit { FrameKind::StatusUpdate } else { FrameKind::Update };
            let admitted = Admission::new(kept, Some(key(7))).admit(event(kind, &id, if agrees { YES } else { NOT_YET }, 5));
            prop_assert_eq!(admitted.skipped.is_some(), kept == Policy::Strict && !agrees);
            let held: Vec<String> = admitted.event.iter().map(PostEvent::key).collect();
            let told = keys(Admission::new(then, Some(key(7))).admit(event(FrameKind::Delete, &id, "", 6)));
            prop_assert_eq!(told.len(), 2);
            prop_assert!(held.iter().all(|key| told.contains(key)), "{:?} {:?}", held, told);
            // An edit that is refused is such a delete.
            let edit = Admission::new(then, Some(key(7))).admit(event(FrameKind::StatusUpdate, &id, NOBOT, 6));
            prop_assert_eq!(edit.skipped, Some(Skipped::Nobot));
            prop_assert_eq!(HashSet::<String>::from_iter(keys(edit)), HashSet::from_iter(told));
            // A post that is new was never held.
            let new = Admission::new(then, Some(key(7))).admit(event(FrameKind::Update, &id, NOBOT, 6));
            prop_assert_eq!(new.records(), 0);
        }
    }
}
