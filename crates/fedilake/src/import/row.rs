//! A row of the talk's record → what happened to a post. Pure.
//!
//! The talk kept less than a server says; what it left out is not invented:
//! - **Identity.** There is no uri. A Mastodon post's url gives it (`https://HOST/@USER/ID` is the page of
//!   `https://HOST/users/USER/statuses/ID`), and GoToSocial's likewise; else the url stands for it, which is right for software
//!   whose uri and url are one.
//! - **Time.** `created_at` is the time of receipt and becomes observed_at. The author's own is not known: the post counts as
//!   made when it was seen, as the talk counted it.
//! - **Hashtags** were only counted: their names are unknown, and each is [`UNKNOWN_TAG`].
//! - **Consent.** The author's note is not there to be asked. The talk read public timelines, so the visibility is public.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use fedilake_model::{Consent, Flaw, Flaws, InReplyTo, Moment, Post, PostEvent, Server};

/// A hashtag whose name nobody kept. No hashtag has this name, for names come without their `#`.
pub(super) const UNKNOWN_TAG: &str = "#";

/// More hashtags than any post has: a count beyond it is an odd one.
const TAGS_MAX: i64 = 10_000;

/// A row as it was read: null where the file has none, or nothing that can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct TalkRow<'a> {
    pub(super) m_id: Option<Cow<'a, str>>,
    pub(super) created_at: Moment,
    pub(super) created_at_str: Moment,
    pub(super) app: Option<Cow<'a, str>>,
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) base_url: Option<Cow<'a, str>>,
    pub(super) language: Option<Cow<'a, str>>,
    pub(super) favourites: Option<i64>,
    pub(super) username: Option<Cow<'a, str>>,
    pub(super) bot: Option<bool>,
    pub(super) tags: Option<i64>,
    pub(super) characters: Option<i64>,
    pub(super) words: Option<i64>,
    pub(super) mastodon_text: Option<Cow<'a, str>>,
}

impl TalkRow<'_> {
    /// The post, or the label of why there is none. `file_written_at` stands in where the row has no time.
    pub(super) fn event(&self, file_written_at: DateTime<Utc>) -> Result<PostEvent, &'static str> {
        let id = filled(self.m_id.as_deref()).ok_or("no_id")?;
        let url = filled(self.url.as_deref()).ok_or("no_url")?;
        let origin = Server::of_url(url).ok_or("no_url")?;
        let user = filled(self.username.as_deref()).map(|name| name.trim_start_matches('@')).ok_or("no_account")?;
        let user = user.split('@').next().filter(|user| !user.is_empty()).ok_or("no_account")?;
        let base_url = filled(self.base_url.as_deref());
        let shown_by = base_url.and_then(server);
        // Without a base_url the post counts as shown by its own server; with an unreadable one nobody knows who showed it.
        let from_origin = shown_by.as_ref().map_or(base_url.is_none(), |shown_by| *shown_by == origin);
        // Of the two servers that have the post the author's is known.
        let server = shown_by.unwrap_or_else(|| origin.clone());
        let text = self.mastodon_text.as_deref().unwrap_or_default();
        let tags = self.tags.unwrap_or(0).clamp(0, TAGS_MAX);
        let received_at = self.received_at();
        let is_dated = self.created_at != Moment::Missing || self.created_at_str != Moment::Missing;
        let mut flaws = Flaws::default();
        flaws.add_if(is_dated && received_at.is_none(), Flaw::ObservedAtUnreadable);
        flaws.add_if(self.tags.is_some_and(|tags| tags > TAGS_MAX), Flaw::TagsCut);
        let post = Post {
            from_origin,
            server,
            id: id.to_owned(),
            uri: uri(url, &origin).unwrap_or_else(|| fedilake_model::spelled_uri(url).into_owned()),
            url: Some(url.to_owned()),
            created_at: None,
            edited_at: None,
            observed_at: received_at.unwrap_or(file_written_at),
            author: format!("{user}@{origin}"),
            author_domain: origin.to_string(),
            author_created_at: None,
            author_bot: self.bot.unwrap_or(false),
            author_followers: None,
            author_indexable: false,
            language: filled(self.language.as_deref()).filter(|language| *language != "unknown").map(str::to_owned),
            characters: self.characters.map_or_else(|| column_count(text.chars().count()), column_count),
            words: self.words.map_or_else(|| column_count(text.split_whitespace().count()), column_count),
            text: text.to_owned(),
            spoiler_text: String::new(),
            tags: (0..tags).map(|_| UNKNOWN_TAG.to_owned()).collect(),
            mentions: Vec::new(),
            links: Vec::new(),
            media: 0,
            media_described: 0,
            poll: false,
            in_reply_to: InReplyTo::None,
            quote_uri: None,
            app: filled(self.app.as_deref()).map(str::to_owned),
            visibility: "public".to_owned(),
            sensitive: false,
            favourites: self.favourites.map_or(0, column_count),
            reblogs: 0,
            replies: 0,
            in_reply_to_id: None,
            in_reply_to_author: None,
            media_types: Vec::new(),
            hashed: false,
            consent: Consent::default(),
            flaws,
        };
        let post = post.within_caps().map_err(|reason| reason.as_str())?;
        Ok(PostEvent::Created(Box::new(post)))
    }

    /// The columns of which this row has a value that is of their type and means nothing: it counts as not given.
    pub(super) fn odd(&self) -> impl Iterator<Item = &'static str> {
        let is_odd_server = filled(self.base_url.as_deref()).is_some_and(|base_url| server(base_url).is_none());
        let is_below_0 = |count: Option<i64>| count.is_some_and(|count| count < 0);
        let is_beyond = |count: Option<i64>| count.is_some_and(|count| count > i64::from(i32::MAX));
        let is_odd = |count| is_below_0(count) || is_beyond(count);
        [
            ("created_at", self.created_at == Moment::Unreadable),
            ("base_url", is_odd_server),
            ("favourites", is_odd(self.favourites)),
            ("tags", is_below_0(self.tags)),
            ("characters", is_odd(self.characters)),
            ("words", is_odd(self.words)),
        ]
        .into_iter()
        .filter_map(|(column, is_odd)| is_odd.then_some(column))
    }

    /// The time of receipt by the talk's listener.
    pub(super) fn received_at(&self) -> Option<DateTime<Utc>> {
        self.created_at.at().or_else(|| self.created_at_str.at())
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A server by its URL, or by its bare host.
fn server(base_url: &str) -> Option<Server> {
    Server::of_url(base_url).or_else(|| Server::of_url(&format!("https://{base_url}")))
}

/// The uri of a post whose page at `origin` this is, where the page's form tells it. The host has its one spelling in a uri.
fn uri(url: &str, origin: &Server) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let (user, post) = path.strip_prefix('@')?.split_once('/')?;
    let is_number = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let is_ulid = |id: &str| id.len() == 26 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let id = match post.strip_prefix("statuses/") {
        Some(id) => Some(id).filter(|id| is_ulid(id)),
        None => Some(post).filter(|id| is_number(id)),
    }?;
    let is_user = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    is_user.then(|| format!("{}://{origin}/users/{user}/statuses/{id}", scheme.to_lowercase()))
}

/// A count as its column holds it.
fn column_count(count: impl TryInto<i64>) -> i32 {
    let count = count.try_into().unwrap_or(i64::MAX).clamp(0, i64::from(i32::MAX));
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> TalkRow<'static> {
        TalkRow {
            m_id: Some("109811111111111111".into()),
            created_at: DateTime::from_timestamp(1_675_420_800, 0).map_or(Moment::Missing, Moment::At),
            created_at_str: Moment::of_text("2023 02 03 11:40:00"),
            app: Some("Tusky".into()),
            url: Some("https://One.test/@Ann/109822222222222222".into()),
            base_url: Some("https://mastodon.test".into()),
            language: Some("en".into()),
            favourites: Some(3),
            username: Some("Ann".into()),
            bot: Some(true),
            tags: Some(2),
            characters: Some(151),
            words: Some(20),
            mastodon_text: Some("a balloon #one#two".into()),
        }
    }

    fn post(row: TalkRow<'_>) -> Post {
        let event = row.event(DateTime::UNIX_EPOCH).unwrap();
        assert!(matches!(event, PostEvent::Created(_)));
        event.post().unwrap().clone()
    }

    #[test]
    fn a_row_is_a_post_seen_when_it_was_received() {
        let post = post(row());
        assert_eq!((post.server.as_str(), post.id.as_str()), ("mastodon.test", "109811111111111111"));
        assert_eq!(post.uri, "https://one.test/users/Ann/statuses/109822222222222222");
        assert_eq!(post.url.as_deref(), Some("https://One.test/@Ann/109822222222222222"));
        assert_eq!((post.author.as_str(), post.author_domain.as_str()), ("Ann@one.test", "one.test"));
        assert_eq!((post.created_at, post.observed_at.timestamp()), (None, 1_675_420_800));
        // As given, whatever the text has.
        assert_eq!((post.characters, post.words, post.favourites, post.author_bot), (151, 20, 3, true));
        assert_eq!((post.language.as_deref(), post.app.as_deref()), (Some("en"), Some("Tusky")));
        assert_eq!(post.tags, ["#", "#"]);
        assert_eq!(fedilake_collect::admit::admit(&PostEvent::Created(Box::new(post))), Ok(()));
    }

    #[test]
    fn a_url_that_stands_for_the_uri_has_its_hosts_one_spelling() {
        for url in [
            "https://Misskey.test/notes/9Ab",
            "https://misskey.test:443/notes/9Ab",
            " HTTPS://misskey.test./notes/9Ab ",
        ] {
            assert_eq!(post(TalkRow { url: Some(url.into()), ..row() }).uri, "https://misskey.test/notes/9Ab", "{url}");
        }
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        let odd = TalkRow {
            app: Some("".into()),
            language: Some("unknown".into()),
            base_url: Some("mastodon.test".into()),
            bot: None,
            tags: Some(-1),
            characters: None,
            words: None,
            favourites: Some(i64::MAX),
            created_at: Moment::Missing,
            ..row()
        };
        let post = post(odd);
        assert_eq!((post.app, post.language, post.author_bot), (None, None, false));
        assert_eq!((post.server.as_str(), post.tags.len()), ("mastodon.test", 0));
        assert_eq!((post.characters, post.words, post.favourites), (18, 3, i32::MAX));
        assert_eq!(post.observed_at.to_rfc3339(), "2023-02-03T11:40:00+00:00");
        let (created_at, created_at_str) = (Moment::Missing, Moment::of_text("yesterday"));
        let timeless = TalkRow { created_at, created_at_str, base_url: None, ..row() };
        let event = timeless.event(DateTime::from_timestamp(7, 0).unwrap()).unwrap();
        let post = event.post().unwrap();
        assert_eq!((post.observed_at.timestamp(), post.server.as_str()), (7, "one.test"));
    }

    #[test]
    fn a_row_that_names_no_post_says_why() {
        let cases = [
            (TalkRow { m_id: None, ..row() }, "no_id"),
            (TalkRow { url: None, ..row() }, "no_url"),
            (TalkRow { url: Some("tag:one.test,2020:1".into()), ..row() }, "no_url"),
            (TalkRow { username: Some(" ".into()), ..row() }, "no_account"),
            (TalkRow { username: Some("@".into()), ..row() }, "no_account"),
        ];
        for (row, why) in cases {
            assert_eq!(row.event(DateTime::UNIX_EPOCH).unwrap_err(), why, "{row:?}");
        }
    }

    #[test]
    fn a_uri_is_made_only_of_a_page_whose_form_tells_it() {
        let cases = [
            ("https://one.test/@ann/109", Some("https://one.test/users/ann/statuses/109")),
            ("HTTP://ONE.test:3000/@a_n.n/1", Some("http://one.test:3000/users/a_n.n/statuses/1")),
            (
                "https://gts.test/@bob/statuses/01F8MH75CBF9JFX4ZAD54N0W0R",
                Some("https://gts.test/users/bob/statuses/01F8MH75CBF9JFX4ZAD54N0W0R"),
            ),
            ("https://one.test/@ann@two.test/109", None),
            ("https://one.test/@ann/109/embed", None),
            ("https://one.test/@ann/", None),
            ("https://one.test/@ann/statuses/109", None),
            ("https://misskey.test/notes/9abcdef", None),
            ("https://pleroma.test/notice/AbC", None),
            ("https://one.test/users/ann/statuses/109", None),
        ];
        for (url, expected) in cases {
            let origin = Server::of_url(url).unwrap();
            assert_eq!(uri(url, &origin).as_deref(), expected, "{url}");
        }
    }
}
