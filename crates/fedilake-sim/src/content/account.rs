//! An author as the API shows them beside each of their posts.

use super::hosts::Software;
use super::ids::Ids;
use super::json::Push;
use super::language::LANGUAGES;
use super::names;
use super::vocabulary::Vocabulary;
use crate::dice::{Dice, Purpose};

/// A post's author. Beyond these fields the profile is drawn from the number, the same each time.
pub(crate) struct Author<'a> {
    pub(crate) number: u64,
    pub(crate) username: &'a str,
    /// The domain of the author's handle.
    pub(crate) host: &'a str,
    /// `https://` and the host of the author's pages.
    pub(crate) base: &'a str,
    pub(crate) software: Software,
    pub(crate) bot: bool,
    /// An index into [`LANGUAGES`].
    pub(crate) language: usize,
    pub(crate) wish: Wish,
}

/// An author's request to collectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Wish {
    #[default]
    None,
    /// `#nobot` in the note.
    NoBot,
    /// `#noindex` in the note.
    NoIndexNote,
    /// `noindex` as a flag; servers show it of their own members only.
    NoIndexFlag,
}

/// The server that shows a post.
pub(crate) struct Viewpoint<'a> {
    /// The domain of its members: `host` or `host:port`.
    pub(crate) server: &'a str,
    /// `https://` and the server's host.
    pub(crate) base: &'a str,
    /// Prefix of the addresses of pictures.
    pub(crate) files: &'a str,
    /// The form of its ids.
    pub(crate) ids: Ids,
}

const APPS_OF_BOTS: [(&str, &str); 5] = [
    ("feed2toot", "https://feed2toot.example"),
    ("rss relay", "https://rssrelay.example"),
    ("Newsboat Poster", "https://newsboat-poster.example"),
    ("IFTTT", "https://ifttt.com"),
    ("Weather Station", "https://station.example"),
];
const APPS: [(&str, &str, u64); 18] = [
    ("Web", "", 470),
    ("Mastodon for iOS", "https://joinmastodon.org/apps", 128),
    ("Mastodon for Android", "https://joinmastodon.org/apps", 92),
    ("Ivory for iOS", "https://tapbots.com/software/ivory", 74),
    ("Tusky", "https://tusky.app", 62),
    ("Metatext", "https://metabolist.org", 36),
    ("Mona for iPhone", "https://mastodon.social/@MonaApp", 22),
    ("Toot!", "https://apps.apple.com/app/toot/id1229021451", 19),
    ("Moa", "https://moa.example", 16),
    ("Fedilab", "https://fedilab.app", 15),
    ("Megalodon", "https://sk22.github.io/megalodon", 14),
    ("Pinafore", "https://pinafore.social", 12),
    ("Elk", "https://elk.zone", 11),
    ("Mammoth", "https://getmammoth.app", 9),
    ("Whalebird", "https://whalebird.social", 7),
    ("Semaphore", "https://semaphore.example", 5),
    ("Buffer", "https://buffer.com", 5),
    ("toot - a Mastodon CLI client", "https://toot.bezdomni.net", 3),
];

/// The app that this author most likely writes with, as the value of `application`.
pub(crate) fn write_application(author: &Author<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
    let (name, website) = if author.bot {
        *dice.pick(&APPS_OF_BOTS)
    } else {
        let total: u64 = APPS.iter().map(|app| app.2).sum();
        let mut at = dice.below(total);
        let app = APPS.iter().find(|app| match at.checked_sub(app.2) {
            Some(beyond) => {
                at = beyond;
                false
            }
            None => true,
        });
        app.map(|app| (app.0, app.1)).expect("a draw below the total")
    };
    out.texts(&["{\"name\":\"", name, "\",\"website\":"]);
    if website.is_empty() {
        out.text("null}");
    } else {
        out.texts(&["\"", website, "\"}"]);
    }
}

/// The local id at a server of the account of person `number`.
pub(crate) fn id_at(seed: u64, number: u64, view: &Viewpoint<'_>) -> u64 {
    let place = view.server.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut dice = Dice::new(seed ^ place, Purpose::Account, number);
    ((joined_ms(seed, number) as u64 + dice.below(86_400_000)) << 16) | dice.below(1 << 16)
}

/// When the account was made: midnight, as Mastodon shows it. Many came in November 2022.
fn joined_ms(seed: u64, number: u64) -> i64 {
    let mut dice = Dice::new(seed, Purpose::Account, number);
    let day = match dice.below(10) {
        0..=4 => 19_293 + dice.below(60),
        5 => 19_108 + dice.below(20),
        _ => 17_000 + dice.below(2_380),
    };
    day as i64 * 86_400_000
}

/// Writes the account object.
pub(crate) fn write_account(seed: u64, author: &Author<'_>, view: &Viewpoint<'_>, at_ms: i64, out: &mut Vec<u8>) {
    let mut dice = Dice::new(seed, Purpose::Profile, author.number);
    let dice = &mut dice;
    let local = author.host == view.server;
    let id = id_at(seed, author.number, view);
    out.text("{\"id\":\"");
    view.ids.write(id, out);
    out.texts(&["\",\"username\":\"", author.username, "\",\"acct\":\"", author.username]);
    if !local {
        out.texts(&["@", author.host]);
    }
    let mut display_name = String::new();
    names::display_name(author.username, author.bot, author.language, dice, &mut display_name);
    out.texts(&["\",\"display_name\":\"", &display_name, "\",\"locked\":"]);
    out.boolean(dice.chance(0.12));
    out.text(",\"bot\":");
    out.boolean(author.bot);
    out.text(",\"discoverable\":");
    out.text(["true", "true", "true", "false", "null"][dice.index(5)]);
    out.text(",\"indexable\":");
    out.boolean(dice.chance(0.3));
    out.text(",\"group\":false,\"created_at\":\"");
    out.time(joined_ms(seed, author.number));
    out.text("\",\"note\":\"");
    write_note(author, view, dice, out);
    out.text("\",\"url\":\"");
    write_profile_url(author, out);
    out.text("\",\"uri\":\"");
    write_profile_uri(author, out);
    out.push(b'"');
    write_picture("avatar", "avatars", local, id, view, dice, out);
    write_picture("header", "headers", local, id, view, dice, out);
    let posts = (7.0 + 2.0 * dice.normal()).exp() as u64 + 1;
    for (name, count) in [
        (",\"followers_count\":", (5.2 + 1.7 * dice.normal()).exp() as u64),
        (",\"following_count\":", (5.0 + 1.2 * dice.normal()).exp() as u64),
        (",\"statuses_count\":", posts),
    ] {
        out.text(name);
        out.number(count);
    }
    out.text(",\"last_status_at\":\"");
    out.date(at_ms);
    out.push(b'"');
    if local {
        out.text(",\"noindex\":");
        out.boolean(author.wish == Wish::NoIndexFlag);
        out.text(",\"roles\":[]");
    }
    out.text(",\"emojis\":[");
    if display_name.contains(":verified:") {
        write_emoji("verified", author, view, out);
    }
    out.text("],\"fields\":[");
    write_fields(author, dice, out);
    out.text("]}");
}

/// Returns the address of the author's page.
pub(crate) fn write_profile_url(author: &Author<'_>, out: &mut Vec<u8>) {
    let between = if author.software == Software::Pleroma { "/users/" } else { "/@" };
    out.texts(&[author.base, between, author.username]);
}

fn write_profile_uri(author: &Author<'_>, out: &mut Vec<u8>) {
    out.texts(&[author.base, "/users/", author.username]);
}

/// An entry of `emojis`.
pub(crate) fn write_emoji(shortcode: &str, author: &Author<'_>, view: &Viewpoint<'_>, out: &mut Vec<u8>) {
    let place = shortcode.bytes().fold(author.host.len() as u64, |sum, byte| sum.wrapping_mul(131) + u64::from(byte));
    out.texts(&["{\"shortcode\":\"", shortcode]);
    for (field, style) in [("\",\"url\":\"", "original"), ("\",\"static_url\":\"", "static")] {
        out.texts(&[field, view.files, "/cache/custom_emojis/images/000/"]);
        out.number(100 + place % 900);
        out.push(b'/');
        out.number(100 + place / 7 % 900);
        out.texts(&["/", style, "/"]);
        out.hex(place.wrapping_mul(0x9e37_79b9_7f4a_7c15), 16);
        out.text(".png");
    }
    out.text("\",\"visible_in_picker\":true}");
}

fn write_note(author: &Author<'_>, view: &Viewpoint<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
    out.text("<p>");
    let vocabulary = Vocabulary::of(author.language);
    for part in 0..dice.below(4) {
        if part > 0 {
            out.text("<br />");
        }
        for word in 0..2 + dice.below(7) {
            if word > 0 && vocabulary.spaced {
                out.push(b' ');
            }
            out.text(vocabulary.word(dice).html);
        }
        out.text(vocabulary.stop);
    }
    let wish = match author.wish {
        Wish::NoBot => "nobot",
        Wish::NoIndexNote => "noindex",
        Wish::None | Wish::NoIndexFlag => return out.text("</p>"),
    };
    out.texts(&[
        " <a href=\\\"",
        view.base,
        "/tags/",
        wish,
        "\\\" class=\\\"mention hashtag\\\" rel=\\\"tag\\\">#<span>",
    ]);
    out.texts(&[wish, "</span></a></p>"]);
}

fn write_picture(
    name: &str,
    folder: &str,
    local: bool,
    id: u64,
    view: &Viewpoint<'_>,
    dice: &mut Dice,
    out: &mut Vec<u8>,
) {
    let missing = dice.chance(0.08);
    let file = dice.next();
    for suffix in ["", "_static"] {
        out.texts(&[",\"", name, suffix, "\":\""]);
        if missing {
            out.texts(&[view.base, "/", folder, "/original/missing.png\""]);
            continue;
        }
        out.texts(&[view.files, if local { "/accounts/" } else { "/cache/accounts/" }, folder]);
        write_split_id(id, out);
        out.text("/original/");
        out.hex(file, 16);
        out.text(if file & 1 == 0 { ".png\"" } else { ".jpeg\"" });
    }
}

/// `/109/302/441/…`, as Mastodon lays out its files.
pub(crate) fn write_split_id(id: u64, out: &mut Vec<u8>) {
    for power in (0..6).rev() {
        let part = id / 1_000_u64.pow(power) % 1_000;
        out.extend_from_slice(&[
            b'/',
            b'0' + (part / 100) as u8,
            b'0' + (part / 10 % 10) as u8,
            b'0' + (part % 10) as u8,
        ]);
    }
}

fn write_fields(author: &Author<'_>, dice: &mut Dice, out: &mut Vec<u8>) {
    const NAMES: [&str; 8] = ["Website", "Pronouns", "Location", "Blog", "Code", "Language", "Interests", "Elsewhere"];
    let vocabulary = Vocabulary::of(author.language);
    for at in 0..dice.below(7).saturating_sub(3) {
        if at > 0 {
            out.push(b',');
        }
        let name = *dice.pick(&NAMES);
        out.texts(&["{\"name\":\"", name, "\",\"value\":\""]);
        if matches!(name, "Website" | "Blog" | "Code" | "Elsewhere") {
            out.texts(&[
                "<a href=\\\"https://",
                author.username,
                ".example\\\" target=\\\"_blank\\\" rel=\\\"nofollow noopener noreferrer me\\\"><span class=\\\"invisible\\\">https://</span><span class=\\\"\\\">",
                author.username,
                ".example</span><span class=\\\"invisible\\\"></span></a>\",\"verified_at\":",
            ]);
            if dice.chance(0.4) {
                out.push(b'"');
                out.time(1_668_000_000_000 + dice.below(6_000_000_000) as i64);
                out.text("\"}");
            } else {
                out.text("null}");
            }
        } else {
            out.text(if name == "Language" { LANGUAGES[author.language].code } else { vocabulary.plain_word(dice) });
            out.text("\",\"verified_at\":null}");
        }
    }
}
