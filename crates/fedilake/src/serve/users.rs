//! Readers with a name and a password each, from a file as `htpasswd -B` writes it.
//!
//! A password that was right is remembered, as a keyed hash in memory, so that bcrypt, which is slow on purpose, runs once a reader and
//! not once a request. It runs on blocking threads, at most two at a time: whoever guesses waits, and nobody else does who was let in
//! before. A name that is not in the file costs the same as one that is. The file is read again when it changes.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use tokio::sync::Semaphore;

use crate::secret;

/// Passwords that are hashed at the same time.
const HASHING_MAX: usize = 2;
/// The costs that `htpasswd` takes. Beyond them one hash takes minutes.
const COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The users of a file.
pub(super) struct Users {
    file: PathBuf,
    /// Made at the start, and for this process alone.
    key: hmac::Key,
    listed: Mutex<Listed>,
    hashing: Arc<Semaphore>,
}

/// The file as it was last read.
struct Listed {
    /// The file's state when it was last looked at; None if it was not there.
    seen: Option<Stamp>,
    users: BTreeMap<String, User>,
}

/// A user's password.
struct User {
    /// The hash of the file.
    hash: String,
    /// The keyed hash of the password that was right for `hash`.
    remembered: Option<hmac::Tag>,
}

/// A file's state, which another content changes.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// When name, mode or content last changed, in seconds and nanoseconds.
    changed: (i64, i64),
}

/// The name and the password that a reader shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

impl Users {
    /// Reads the file.
    pub(super) fn read(file: &Path) -> anyhow::Result<Users> {
        let seen = Stamp::of(file);
        let users = read(file)?;
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("make a key for passwords"))?;
        let listed = Mutex::new(Listed { seen, users });
        Ok(Users { file: file.to_owned(), key, listed, hashing: Arc::new(Semaphore::new(HASHING_MAX)) })
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// True if the password is the user's.
    pub(super) async fn know(&self, shown: &Credentials) -> bool {
        self.read_if_changed();
        if self.remember(shown) {
            return true;
        }
        let place = Arc::clone(&self.hashing).acquire_owned().await.expect("the semaphore is never closed");
        // Several requests of one reader come at once: the first one's answer is theirs.
        if self.remember(shown) {
            return true;
        }
        let Some((hash, is_theirs)) = self.hash_for(&shown.name) else { return false };
        let (password, against) = (shown.password.clone(), hash.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            // Kept when the reader goes away, so that guesses without patience are no faster.
            let _place = place;
            bcrypt::verify(password, &against).unwrap_or(false)
        });
        let is_right = hashed.await.unwrap_or(false) && is_theirs;
        let result = if is_right { "right" } else { "wrong" };
        metrics::counter!("fedilake_serve_passwords_hashed_total", "result" => result).increment(1);
        if is_right {
            let mut listed = self.listed();
            // The file may have changed meanwhile.
            if let Some(user) = listed.users.get_mut(&shown.name).filter(|user| user.hash == hash) {
                user.remembered = Some(hmac::sign(&self.key, &message(&hash, &shown.password)));
            }
        }
        is_right
    }

    /// True if this very password was right before.
    fn remember(&self, shown: &Credentials) -> bool {
        let listed = self.listed();
        let Some(user) = listed.users.get(&shown.name) else { return false };
        user.remembered
            .is_some_and(|tag| hmac::verify(&self.key, &message(&user.hash, &shown.password), tag.as_ref()).is_ok())
    }

    /// The hash to compare a password with, and whether it is of a user of this name. For a name that is not in the file it is always
    /// the same user's, so that neither the time nor its changes tell which names are.
    fn hash_for(&self, name: &str) -> Option<(String, bool)> {
        let listed = self.listed();
        if let Some(user) = listed.users.get(name) {
            return Some((user.hash.clone(), true));
        }
        let tag = hmac::sign(&self.key, name.as_bytes());
        let number = tag.as_ref().iter().take(4).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let user = listed.users.values().nth(number % listed.users.len().max(1))?;
        Some((user.hash.clone(), false))
    }

    /// Reads the file again if it has changed. The users stay as they are if it cannot be read.
    fn read_if_changed(&self) {
        let mut listed = self.listed();
        let stamp = Stamp::of(&self.file);
        if listed.seen == stamp {
            return;
        }
        listed.seen = stamp;
        match read(&self.file) {
            Ok(mut users) => {
                for (name, user) in &mut users {
                    let before = listed.users.get(name).filter(|before| before.hash == user.hash);
                    user.remembered = before.and_then(|before| before.remembered);
                }
                tracing::info!(users = users.len(), "read {} again", self.file.display());
                listed.users = users;
            }
            Err(error) => tracing::warn!("the readers' users stay as they were: {error:#}"),
        }
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Stamp> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), changed: changed(&metadata) })
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> (i64, i64) {
    (0, 0)
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The credentials of `Authorization: Basic …`; None if they cannot be read.
    pub(super) fn of(header: &str) -> Option<Credentials> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        // RFC 7617 has no control characters in either.
        if text.contains(char::is_control) {
            return None;
        }
        let (name, password) = text.split_once(':')?;
        Some(Credentials { name: name.to_owned(), password: password.to_owned() })
    }
}

/// The text that is remembered, keyed, of a password. No hash has a zero byte, so it is one pair's.
fn message(hash: &str, password: &str) -> Vec<u8> {
    [hash.as_bytes(), password.as_bytes()].join(&0)
}

fn read(file: &Path) -> anyhow::Result<BTreeMap<String, User>> {
    let text = secret::read(file).with_context(|| format!("read serve.users {}", file.display()))?;
    let mut users = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = || format!("serve.users {}, line {number}", file.display());
        let (name, hash) = user(line).with_context(place)?;
        let before = users.insert(name.to_owned(), User { hash: hash.to_owned(), remembered: None });
        ensure!(before.is_none(), "{}: the user {name:?} is listed twice", place());
    }
    ensure!(
        !users.is_empty(),
        "serve.users {}: expected a user\nhint: `htpasswd -B FILE NAME` adds one, and asks for the password",
        file.display()
    );
    Ok(users)
}

/// The name and the hash of a line. The error repeats neither.
fn user(line: &str) -> anyhow::Result<(&str, &str)> {
    const HINT: &str = "hint: `htpasswd -B FILE NAME` writes such a line, and asks for the password";
    let Some((name, hash)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
        bail!("expected NAME:HASH\n{HINT}");
    };
    let Ok(parts) = hash.parse::<HashParts>() else { bail!("expected a bcrypt hash after the name\n{HINT}") };
    ensure!(
        COSTS.contains(&parts.get_cost()),
        "the hash has the cost {}: expected {} to {}\n{HINT}",
        parts.get_cost(),
        COSTS.start(),
        COSTS.end()
    );
    Ok((name, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, password: &str) -> Credentials {
        Credentials { name: name.to_owned(), password: password.to_owned() }
    }

    fn line(name: &str, password: &str) -> String {
        format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap())
    }

    /// A file with this text, written as a whole.
    fn write(file: &Path, text: &str) {
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, file).unwrap();
    }

    /// True if the user's password is remembered.
    fn remembers(users: &Users, name: &str) -> bool {
        users.listed().users[name].remembered.is_some()
    }

    #[tokio::test]
    async fn a_right_password_is_hashed_once_and_a_wrong_one_each_time() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("users");
        write(&file, &format!("# readers\n\n{}{}", line("anna", "pässword: 1"), line("berta", "")));
        let users = Users::read(&file)?;
        assert!(!remembers(&users, "anna"));
        for (name, password, expected) in [
            ("anna", "password", false),
            ("anna", "", false),
            ("Anna", "pässword: 1", false),
            ("carla", "pässword: 1", false),
            ("", "", false),
            ("anna", "pässword: 1", true),
            ("anna", "pässword: 2", false),
            ("berta", "pässword: 1", false),
            ("berta", "", true),
        ] {
            assert_eq!(users.know(&shown(name, password)).await, expected, "{name} {password}");
        }
        assert!(remembers(&users, "anna"));
        // No place for hashing is free, and none is needed.
        let _all = users.hashing.acquire_many(HASHING_MAX as u32).await?;
        assert!(users.know(&shown("anna", "pässword: 1")).await);
        for (name, password) in [("anna", "wrong"), ("carla", "pässword: 1")] {
            let (guess, soon) = (shown(name, password), std::time::Duration::from_millis(50));
            assert!(tokio::time::timeout(soon, users.know(&guess)).await.is_err(), "{name} waits for a place");
        }
        Ok(())
    }

    #[test]
    fn a_name_that_is_not_listed_is_compared_with_the_hash_of_one_that_is() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("users");
        write(&file, &format!("{}{}", line("anna", "1"), line("berta", "2")));
        let users = Users::read(&file)?;
        let hashes: Vec<String> = users.listed().users.values().map(|user| user.hash.clone()).collect();
        let mut taken = std::collections::BTreeSet::new();
        for number in 0..64 {
            let name = format!("nobody{number}");
            let (hash, is_theirs) = users.hash_for(&name).unwrap();
            assert!(hashes.contains(&hash) && !is_theirs);
            assert_eq!(users.hash_for(&name), Some((hash.clone(), false)), "always the same one");
            taken.insert(hash);
        }
        assert_eq!(taken.len(), 2, "each user's is taken");
        assert_eq!(users.hash_for("berta"), Some((hashes[1].clone(), true)));
        Ok(())
    }

    #[tokio::test]
    async fn the_file_is_read_again_when_it_changes_and_its_users_stay_when_it_cannot_be() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("users");
        let (anna, berta) = (line("anna", "one"), line("berta", "two"));
        write(&file, &format!("{anna}{berta}"));
        let users = Users::read(&file)?;
        let knows = async |name, password| users.know(&shown(name, password)).await;
        assert!(knows("anna", "one").await && knows("berta", "two").await);
        write(&file, &format!("{anna}{}", line("carla", "three")));
        assert!(knows("anna", "one").await && !knows("berta", "two").await && knows("carla", "three").await);
        assert!(remembers(&users, "anna"), "her line is the same");
        write(&file, &line("anna", "other"));
        assert!(!knows("anna", "one").await && knows("anna", "other").await);
        for unreadable in ["", "anna", "anna:other"] {
            write(&file, unreadable);
            assert!(knows("anna", "other").await, "{unreadable:?}");
        }
        std::fs::remove_file(&file)?;
        assert!(knows("anna", "other").await && !knows("berta", "two").await);
        write(&file, &berta);
        assert!(!knows("anna", "other").await && knows("berta", "two").await);
        Ok(())
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("users");
        let good = line("anna", "one");
        let dear = good.replace("$04$", "$31$");
        for (text, expected) in [
            (format!("{good}berta\n"), "line 2: expected NAME:HASH"),
            ("\n#\n:$2y$04$\n".to_owned(), "line 3: expected NAME:HASH"),
            ("berta:secret\n".to_owned(), "line 1: expected a bcrypt hash"),
            ("berta:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n".to_owned(), "line 1: expected a bcrypt hash"),
            (dear, "line 1: the hash has the cost 31: expected 4 to 17"),
            (format!("{good}{good}"), "line 2: the user \"anna\" is listed twice"),
            ("# nobody\n".to_owned(), "expected a user"),
        ] {
            write(&file, &text);
            let told = format!("{:#}", Users::read(&file).unwrap_err());
            assert!(told.contains(expected) && told.contains(&file.display().to_string()), "{told}");
            assert!(!told.contains("secret") && !told.contains("$2"), "{told}");
        }
        Ok(())
    }

    #[test]
    fn credentials_are_a_name_and_a_password_in_base64() {
        let header = |text: &[u8]| format!("Basic {}", STANDARD.encode(text));
        assert!(Credentials::of(&header("änna:pass:word".as_bytes())) == Some(shown("änna", "pass:word")));
        assert!(Credentials::of("basic YW5uYTo=") == Some(shown("anna", "")));
        for wrong in
            ["", "Basic", "Basic !", "Bearer YW5uYTo=", &header(b"anna"), &header(b"anna:\xff"), &header(b"a:b\0")]
        {
            assert!(Credentials::of(wrong).is_none(), "{wrong}");
        }
    }
}
