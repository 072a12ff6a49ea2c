//! A server's access token, which may be replaced and refused while its server is read.
//!
//! A token that its server refuses is not sent with pages, which most servers give to everyone, so that polling goes on; a stream is
//! asked for with it again. The token's file is looked at now and then, and after a refusal: a new token is used at once.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A server's access token, as its owner got it there.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The longest file of a token that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

impl Token {
    /// Takes the token without the white space around it. `None` if it is empty or not valid in a header.
    pub fn new(token: &str) -> Option<Token> {
        let token = token.trim();
        let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Token(token.to_owned()))
    }

    /// The token of a file; `None` if the file holds none.
    fn read(file: &Path) -> io::Result<Option<Token>> {
        let mut text = String::new();
        File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(Token::new(&text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The token of one server as it is now.
#[derive(Debug)]
pub(crate) struct TokenInUse {
    token: Option<Token>,
    is_refused: bool,
    /// True if the token is new and no stream was asked for with it.
    is_news: bool,
    file: Option<PathBuf>,
    /// When the file was written that was read last, and its length.
    read: Option<(SystemTime, u64)>,
    looked_at: Instant,
}

impl TokenInUse {
    /// The token of the configuration, which was read from `file` if there is one.
    pub(crate) fn new(token: Option<Token>, file: Option<PathBuf>) -> TokenInUse {
        let read = file.as_deref().and_then(stamp).filter(|_| token.is_some());
        TokenInUse { token, is_refused: false, is_news: false, file, read, looked_at: Instant::now() }
    }

    /// The token, to be sent with a page; `None` while its server refuses it.
    pub(crate) fn for_pages(&self) -> Option<Token> {
        self.token.clone().filter(|_| !self.is_refused)
    }

    /// The token, to be sent with a request for a stream.
    pub(crate) fn for_streams(&self) -> Option<Token> {
        self.token.clone()
    }

    /// True if there is a file, so that there may be a new token at any time.
    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Records that the server refused `token`, or took it.
    pub(crate) fn answered(&mut self, token: &Token, is_refused: bool) {
        if self.token.as_ref() == Some(token) {
            self.is_refused = is_refused;
        }
    }

    /// Looks at the file if the last look is `period` ago. True if there is a new token.
    pub(crate) fn look(&mut self, period: Duration) -> bool {
        let now = Instant::now();
        if now < self.looked_at + period {
            return false;
        }
        self.looked_at = now;
        let Some(file) = &self.file else { return false };
        let stamp = stamp(file);
        if stamp.is_none() || stamp == self.read {
            return false;
        }
        // A file that cannot be read, or is being written, is looked at again; the old token is used meanwhile.
        let Ok(Some(token)) = Token::read(file) else { return false };
        self.read = stamp;
        let is_new = self.token.as_ref() != Some(&token);
        if is_new {
            self.token = Some(token);
            self.is_refused = false;
            self.is_news = true;
        }
        is_new
    }

    /// True once for each new token, whoever looked at the file.
    pub(crate) fn take_news(&mut self) -> bool {
        mem::take(&mut self.is_news)
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.modified().ok()?, found.len()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text).unwrap()
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", token("secret")), "Token(…)");
    }

    #[test]
    fn a_refused_token_is_sent_for_streams_only_until_it_is_taken_again() {
        let mut used = TokenInUse::new(Some(token("a")), None);
        used.answered(&token("b"), true);
        assert_eq!(used.for_pages(), Some(token("a")));
        used.answered(&token("a"), true);
        assert_eq!((used.for_pages(), used.for_streams()), (None, Some(token("a"))));
        used.answered(&token("a"), false);
        assert_eq!(used.for_pages(), Some(token("a")));
    }

    #[test]
    fn a_file_that_was_written_anew_has_the_next_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let mut used = TokenInUse::new(None, Some(file.clone()));
        assert!(!used.look(Duration::ZERO), "there is no file yet");
        std::fs::write(&file, "one\n").unwrap();
        assert!(used.look(Duration::ZERO) && !used.look(Duration::ZERO));
        assert!(used.take_news() && !used.take_news(), "it is told once, though nobody who asked for a stream looked");
        used.answered(&token("one"), true);
        for unreadable in ["", "two words", "\u{1b}"] {
            std::fs::write(&file, unreadable).unwrap();
            assert!(!used.look(Duration::ZERO), "{unreadable:?}");
            assert_eq!(used.for_streams(), Some(token("one")));
        }
        std::fs::write(&file, "another").unwrap();
        assert!(!used.look(Duration::from_secs(60)), "it was looked at just now");
        assert!(used.look(Duration::ZERO));
        assert_eq!(used.for_pages(), Some(token("another")));
        std::fs::remove_file(&file).unwrap();
        assert!(!used.look(Duration::ZERO));
        assert_eq!(used.for_pages(), Some(token("another")));
    }
}
