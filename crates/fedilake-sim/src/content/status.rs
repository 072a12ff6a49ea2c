//! A status as Mastodon's API gives it: one post, in one version, as one server shows it.

use super::account::{self, Author, Viewpoint, Wish};
use super::hosts::{self, Software};
use super::json::Push;
use super::language::LANGUAGES;
use super::media;
use super::names;
use super::prose::{self, Brief, Held, Mention};
use super::vocabulary::Vocabulary;
use crate::dice::{Dice, Purpose};

/// The draft of a post: the parts decided beforehand. All else is drawn from `number`, the same each time.
pub(crate) struct Draft<'a> {
    pub(crate) seed: u64,
    pub(crate) number: u64,
    /// The post's id at its origin: part of its uri.
    pub(crate) origin_id: u64,
    pub(crate) author: Author<'a>,
    pub(crate) created_at_ms: i64,
    pub(crate) edited_at_ms: Option<i64>,
    /// 0 as first published, one more with each edit.
    pub(crate) version: u32,
    /// Length of the content's plain text in this version.
    pub(crate) characters: usize,
    /// The language tag of the post; its text is in the author's language.
    pub(crate) language: Option<usize>,
    /// A word that must occur.
    pub(crate) topic: Option<&'a str>,
    pub(crate) visibility: Visibility,
    /// Another's post is shown inside: the author boosts it.
    pub(crate) boost: bool,
    /// The post is a reply to another one.
    pub(crate) answers: Option<Answered<'a>>,
}

/// The post that is answered, as the server that shows the reply knows it.
#[derive(Clone, Copy)]
pub(crate) struct Answered<'a> {
    pub(crate) author: Person<'a>,
    /// Its id at the server; `None` where the server does not have it.
    pub(crate) id: Option<u64>,
}

/// A person named beside a post.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) number: u64,
    pub(crate) username: &'a str,
    pub(crate) host: &'a str,
    /// `https://host`.
    pub(crate) base: &'a str,
}

/// A post's visibility.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visibility {
    Public,
    Unlisted,
}

const TAGS: [&str; 72] = [
    "photography",
    "Fediverse",
    "caturday",
    "MastoArt",
    "art",
    "introduction",
    "NowPlaying",
    "books",
    "nature",
    "linux",
    "music",
    "SilentSunday",
    "opensource",
    "gaming",
    "dogs",
    "birds",
    "climate",
    "science",
    "history",
    "coffee",
    "bookstodon",
    "python",
    "infosec",
    "football",
    "cooking",
    "gardening",
    "knitting",
    "writing",
    "poetry",
    "astronomy",
    "film",
    "anime",
    "ttrpg",
    "bicycle",
    "trains",
    "maps",
    "MonochromeMonday",
    "WritingCommunity",
    "news",
    "weather",
    "rustlang",
    "dataviz",
    "retrogaming",
    "DIY",
    "printmaking",
    "watercolor",
    "sketch",
    "wordplay",
    "Mastodon",
    "academia",
    "librarians",
    "museums",
    "archaeology",
    "geology",
    "moss",
    "fungi",
    "wildflowers",
    "hiking",
    "running",
    "chess",
    "crossword",
    "radio",
    "podcast",
    "vinyl",
    "jazz",
    "bread",
    "vegetarian",
    "tea",
    "sunset",
    "winter",
    "snow",
    "cats",
];
const TAGS_JAPANESE: [&str; 8] = ["写真", "アニメ", "ゲーム", "猫", "お絵かき", "音楽", "読書", "ごはん"];
const FACES: [&str; 16] =
    ["😀", "😂", "🎉", "❤", "🙏", "👍", "😅", "🔥", "🤔", "😍", "🌞", "🥰", "☕", "🚀", ":blobcat:", ":ablobcheer:"];
const SECTIONS: [&str; 10] =
    ["articles", "2023/02", "blog", "news", "watch", "notes", "photos", "posts", "p", "story/archive"];

/// Facts of a status, by which servers put it on timelines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The hashtags, as the author wrote them.
    pub(crate) tags: Vec<&'static str>,
    /// Pictures or other files are attached.
    pub(crate) media: bool,
}

/// Writes the status with that local id.
pub(crate) fn write_status(draft: &Draft<'_>, view: &Viewpoint<'_>, id: u64, out: &mut Vec<u8>) -> Facts {
    let mut dice = Dice::new(draft.seed, Purpose::Post, draft.number);
    let dice = &mut dice;
    let author = &draft.author;
    let vocabulary = Vocabulary::of(author.language);
    let local = author.host == view.server;

    out.text("{\"id\":\"");
    view.ids.write(id, out);
    out.text("\",\"created_at\":\"");
    out.time(draft.created_at_ms);
    // Mastodon's public timelines carry threads of one's own only; those of other software carry every reply.
    match draft.answers {
        Some(Answered { author, id: Some(answered) }) => {
            out.text("\",\"in_reply_to_id\":\"");
            view.ids.write(answered, out);
            out.text("\",\"in_reply_to_account_id\":\"");
            view.ids.write(account::id_at(draft.seed, author.number, view), out);
            out.push(b'"');
        }
        _ => out.text("\",\"in_reply_to_id\":null,\"in_reply_to_account_id\":null"),
    }
    let warned = dice.chance(0.05);
    out.text(",\"sensitive\":");
    out.boolean(warned || dice.chance(0.02));
    out.text(",\"spoiler_text\":\"");
    if warned {
        media::write_words(1 + dice.below(4), vocabulary, dice, out);
    }
    out.texts(&["\",\"visibility\":\"", if draft.visibility == Visibility::Public { "public" } else { "unlisted" }]);
    out.text("\",\"language\":");
    match draft.language {
        Some(language) => out.texts(&["\"", LANGUAGES[language].code, "\""]),
        None => out.text("null"),
    }
    out.text(",\"uri\":\"");
    write_uri(draft, out);
    out.text("\",\"url\":\"");
    write_url(draft, out);
    out.text("\",\"replies_count\":0,\"reblogs_count\":0,\"favourites_count\":");
    out.number(u64::from(dice.chance(0.02)));
    out.text(",\"edited_at\":");
    match draft.edited_at_ms {
        Some(at_ms) => {
            out.push(b'"');
            out.time(at_ms);
            out.push(b'"');
        }
        None => out.text("null"),
    }
    let parts = Parts::draw(draft, dice);
    let tag_base = format!("{}/tags/", view.base);
    out.text(",\"content\":\"");
    let held = if draft.boost { Held::default() } else { parts.write_content(draft, vocabulary, &tag_base, out) };
    out.text("\",\"reblog\":");
    if draft.boost {
        write_boosted(draft, view, id, out);
    } else {
        out.text("null");
    }
    if local {
        out.text(",\"application\":");
        account::write_application(author, &mut Dice::new(draft.seed, Purpose::Account, !author.number), out);
    }
    out.text(",\"account\":");
    account::write_account(draft.seed, author, view, draft.created_at_ms, out);
    out.text(",\"media_attachments\":[");
    media::write_attachments(parts.attachments, vocabulary, view, local, draft.created_at_ms, dice, out);
    out.text("],\"mentions\":[");
    if held.mention || draft.answers.is_some() {
        parts.write_mention(draft.seed, view, out);
    }
    out.text("],\"tags\":[");
    for (at, tag) in parts.tags[..held.tags].iter().enumerate() {
        out.text(if at > 0 { ",{\"name\":\"" } else { "{\"name\":\"" });
        out.texts(&[&tag.to_lowercase(), "\",\"url\":\"", &tag_base]);
        prose::write_percent_encoded(tag, out);
        out.text("\"}");
    }
    out.text("],\"emojis\":[");
    if let Some(shortcode) = parts.emoji.filter(|_| held.emoji).and_then(|emoji| emoji.strip_prefix(':')) {
        account::write_emoji(shortcode.trim_end_matches(':'), author, view, out);
    }
    out.text("],\"card\":null,\"poll\":");
    if parts.poll {
        media::write_poll(id, draft.created_at_ms, vocabulary, dice, out)
    } else {
        out.text("null")
    }
    out.push(b'}');
    Facts { tags: parts.tags[..held.tags].to_vec(), media: parts.attachments > 0 }
}

/// The post's identity, the same on every server.
pub(crate) fn uri(draft: &Draft<'_>) -> String {
    let mut out = Vec::with_capacity(96);
    write_uri(draft, &mut out);
    String::from_utf8(out).expect("a uri is ASCII")
}

fn write_uri(draft: &Draft<'_>, out: &mut Vec<u8>) {
    let author = &draft.author;
    match author.software {
        Software::Mastodon => {
            out.texts(&[author.base, "/users/", author.username, "/statuses/"]);
            out.number(draft.origin_id);
            if draft.boost {
                out.text("/activity");
            }
        }
        Software::Misskey => {
            out.texts(&[author.base, "/notes/"]);
            out.hex(draft.origin_id, 16);
        }
        Software::Pleroma => {
            out.texts(&[author.base, "/objects/"]);
            write_uuid(draft.origin_id, out);
        }
    }
}

fn write_url(draft: &Draft<'_>, out: &mut Vec<u8>) {
    let author = &draft.author;
    match author.software {
        Software::Mastodon => {
            out.texts(&[author.base, "/@", author.username, "/"]);
            out.number(draft.origin_id);
        }
        Software::Misskey => write_uri(draft, out),
        Software::Pleroma => {
            out.texts(&[author.base, "/notice/A"]);
            out.hex(draft.origin_id, 16);
        }
    }
}

fn write_uuid(id: u64, out: &mut Vec<u8>) {
    let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    out.hex(noise >> 32, 8);
    out.push(b'-');
    out.hex(noise >> 16, 4);
    out.text("-4");
    out.hex(noise, 3);
    out.text("-a");
    out.hex(id >> 48, 3);
    out.push(b'-');
    out.hex(id, 12);
}

/// The post that is boosted: by the next person, a minute earlier.
fn write_boosted(draft: &Draft<'_>, view: &Viewpoint<'_>, id: u64, out: &mut Vec<u8>) {
    let number = draft.author.number + 1;
    let username = names::username(draft.seed, number, false);
    let earlier = 60_000_u64 << 16;
    let inner = Draft {
        number: draft.number ^ (1 << 40),
        origin_id: draft.origin_id - earlier,
        author: Author { number, username: &username, bot: false, wish: Wish::None, ..draft.author },
        created_at_ms: draft.created_at_ms - 60_000,
        edited_at_ms: None,
        topic: None,
        boost: false,
        answers: None,
        ..*draft
    };
    write_status(&inner, view, id - earlier, out);
}

/// A mentioned person.
struct Mentioned {
    number: u64,
    username: String,
    host: String,
    base: String,
}

/// The parts of a post beside its words.
struct Parts {
    tags: Vec<&'static str>,
    mentioned: Option<Mentioned>,
    link: Option<String>,
    emoji: Option<&'static str>,
    attachments: u64,
    poll: bool,
}

impl Parts {
    fn draw(draft: &Draft<'_>, dice: &mut Dice) -> Parts {
        let author = &draft.author;
        let tagged = dice.chance(if author.bot { 0.45 } else { 0.24 });
        let tags = if tagged { draw_tags(author.language, dice) } else { Vec::new() };
        let drawn = (!author.bot && dice.chance(0.07)).then(|| {
            let number = dice.below(60_000);
            let host = hosts::host(draft.seed, dice.zipf(2_000, 10.966));
            let username = names::username(draft.seed, number, false);
            Mentioned { number, username, base: format!("https://{host}"), host }
        });
        // A reply addresses whom it answers, and nobody else; a thread nobody.
        let mentioned = match draft.answers {
            Some(Answered { author: answered, .. }) => (answered.number != author.number).then(|| Mentioned {
                number: answered.number,
                username: answered.username.to_owned(),
                host: answered.host.to_owned(),
                base: answered.base.to_owned(),
            }),
            None => drawn,
        };
        let link = dice.chance(if author.bot { 0.8 } else { 0.17 }).then(|| draw_link(draft, dice));
        let emoji = dice.chance(0.09).then(|| *dice.pick(&FACES));
        let attachments = match dice.below(100) {
            _ if draft.characters == 0 => 1,
            0..=18 => 1,
            19..=22 => 2,
            23..=24 => 4,
            _ => 0,
        };
        Parts { tags, mentioned, link, emoji, attachments, poll: attachments == 0 && dice.chance(0.008) }
    }

    fn write_content(&self, draft: &Draft<'_>, vocabulary: &Vocabulary, tag_base: &str, out: &mut Vec<u8>) -> Held {
        let mention = self.mentioned.as_ref().map(|Mentioned { username, base, .. }| Mention { username, base });
        let brief = Brief {
            characters: draft.characters,
            vocabulary,
            mention,
            topic: draft.topic,
            link: self.link.as_deref(),
            emoji: self.emoji,
            tags: &self.tags,
            tag_base,
        };
        let number = draft.number | u64::from(draft.version) << 48;
        prose::write_content(&brief, &mut Dice::new(draft.seed, Purpose::Words, number), out)
    }

    fn write_mention(&self, seed: u64, view: &Viewpoint<'_>, out: &mut Vec<u8>) {
        let Some(Mentioned { number, username, host, base }) = &self.mentioned else { return };
        out.text("{\"id\":\"");
        view.ids.write(account::id_at(seed, *number, view), out);
        out.texts(&["\",\"username\":\"", username, "\",\"url\":\"", base, "/@", username]);
        out.texts(&["\",\"acct\":\"", username]);
        if host != view.server {
            out.texts(&["@", host]);
        }
        out.text("\"}");
    }
}

fn draw_tags(language: usize, dice: &mut Dice) -> Vec<&'static str> {
    let pool: &[&'static str] = if LANGUAGES[language].code == "ja" { &TAGS_JAPANESE } else { &TAGS };
    let mut tags: Vec<&'static str> = Vec::new();
    for _ in 0..1 + dice.below(2) * dice.below(4) {
        let tag = pool[dice.zipf(pool.len(), ((pool.len() + 1) as f64).log2())];
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn draw_link(draft: &Draft<'_>, dice: &mut Dice) -> String {
    let vocabulary = Vocabulary::of(0);
    // Bots link home, people to wherever they read.
    let site = if draft.author.bot { draft.author.number as usize % 4_000 } else { dice.zipf(4_000, 11.966) };
    let host = hosts::host(draft.seed, site + 9_000);
    let www = if site.is_multiple_of(3) { "www." } else { "" };
    let mut link = format!("https://{www}{host}/{}/", dice.pick(&SECTIONS));
    for word in 0..1 + dice.below(5) {
        if word > 0 {
            link.push('-');
        }
        link.extend(
            vocabulary.plain_word(dice).chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()),
        );
    }
    link
}
