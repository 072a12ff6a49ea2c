//! The timelines of a server.

use std::fmt;

/// One of a server's timelines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Timeline {
    /// All public posts that the server knows.
    #[default]
    Public,
    /// Public posts of the server's own members.
    Local,
    /// Public posts of other servers' members.
    Remote,
    /// Public posts with this hashtag.
    Hashtag(Hashtag),
    /// Posts of the accounts on a list of the token's owner, by the list's id.
    List(ListId),
}

/// A hashtag without its `#`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hashtag(Box<str>);

/// The id of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListId(Box<str>);

/// The longest hashtag or id of a list, in bytes: both are a part of bookmarks' names.
const NAME_BYTES_MAX: usize = 200;

impl Hashtag {
    /// The hashtag of `text`, with or without `#`; `None` if a hashtag cannot be written so.
    pub fn new(text: &str) -> Option<Hashtag> {
        let text = text.strip_prefix('#').unwrap_or(text).to_lowercase();
        // As Mastodon has it: letters, digits, `_` and what joins words of some languages; not digits alone.
        let is_of_tag = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\u{b7}' | '\u{30fb}' | '\u{200c}');
        let fits = text.len() <= NAME_BYTES_MAX
            && text.chars().all(|c| is_of_tag(c) || is_mark(c))
            && text.chars().any(|c| c.is_alphabetic());
        fits.then(|| Hashtag(text.into()))
    }

    /// The hashtag's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for the marks that letters of Indic, Arabic and other scripts carry.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}' | '\u{3099}'..='\u{309a}')
}

impl ListId {
    /// The id; `None` if it has other characters than letters, digits, `-` and `_`.
    pub fn new(id: &str) -> Option<ListId> {
        let fits = (1..=NAME_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        fits.then(|| ListId(id.into()))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Timeline {
    /// The timeline of that name: `public`, `local`, `remote`, `hashtag:TAG` or `list:ID`.
    pub fn parse(text: &str) -> Option<Timeline> {
        match (text, text.split_once(':')) {
            ("public", _) => Some(Timeline::Public),
            ("local", _) => Some(Timeline::Local),
            ("remote", _) => Some(Timeline::Remote),
            (_, Some(("hashtag", tag))) => Hashtag::new(tag).map(Timeline::Hashtag),
            (_, Some(("list", id))) => ListId::new(id).map(Timeline::List),
            _ => None,
        }
    }

    /// The path of its pages.
    pub(crate) fn path(&self) -> String {
        match self {
            Timeline::Public | Timeline::Local | Timeline::Remote => "/api/v1/timelines/public".to_owned(),
            Timeline::Hashtag(tag) => format!("/api/v1/timelines/tag/{}", tag.as_str()),
            Timeline::List(id) => format!("/api/v1/timelines/list/{}", id.as_str()),
        }
    }

    /// The parameter that its pages need.
    pub(crate) fn parameter(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Timeline::Local => Some(("local", "true")),
            Timeline::Remote => Some(("remote", "true")),
            _ => None,
        }
    }

    /// The path of its stream of server-sent events.
    pub(crate) fn stream_path(&self) -> &'static str {
        match self {
            Timeline::Public => "/api/v1/streaming/public",
            Timeline::Local => "/api/v1/streaming/public/local",
            Timeline::Remote => "/api/v1/streaming/public/remote",
            Timeline::Hashtag(_) => "/api/v1/streaming/hashtag",
            Timeline::List(_) => "/api/v1/streaming/list",
        }
    }

    /// The name of its stream on a socket.
    pub(crate) fn stream_name(&self) -> &'static str {
        match self {
            Timeline::Public => "public",
            Timeline::Local => "public:local",
            Timeline::Remote => "public:remote",
            Timeline::Hashtag(_) => "hashtag",
            Timeline::List(_) => "list",
        }
    }

    /// The parameter that its stream needs.
    pub(crate) fn stream_parameter(&self) -> Option<(&'static str, &str)> {
        match self {
            Timeline::Hashtag(tag) => Some(("tag", tag.as_str())),
            Timeline::List(id) => Some(("list", id.as_str())),
            _ => None,
        }
    }
}

/// The timeline's name, as in bookmarks.
impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Timeline::Public => f.write_str("public"),
            Timeline::Local => f.write_str("local"),
            Timeline::Remote => f.write_str("remote"),
            Timeline::Hashtag(tag) => write!(f, "hashtag:{}", tag.as_str()),
            Timeline::List(id) => write!(f, "list:{}", id.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_timeline_is_known_by_its_name() {
        for (text, name) in [
            ("public", "public"),
            ("local", "local"),
            ("remote", "remote"),
            ("hashtag:#RustLang", "hashtag:rustlang"),
            ("hashtag:東京", "hashtag:東京"),
            ("hashtag:हिन्दी", "hashtag:हिन्दी"),
            ("list:12", "list:12"),
        ] {
            let timeline = Timeline::parse(text).unwrap();
            assert_eq!(timeline.to_string(), name);
            assert_eq!(Timeline::parse(name), Some(timeline));
        }
        let long = format!("hashtag:{}", "x".repeat(201));
        for odd in ["", "home", "hashtag:", "hashtag:1", "hashtag:a b", "hashtag:a/b", "list:", "list:../x", &long] {
            assert_eq!(Timeline::parse(odd), None, "{odd:?}");
        }
    }
}
