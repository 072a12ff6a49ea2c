//! The frames against the figures, found again from the JSON alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::BufRead;

use serde_json::Value;

use super::*;
use crate::testing::plain_text;

/// A post as a reader keeps it.
struct Kept {
    author: String,
    username: String,
    origin: String,
    language: Option<String>,
    text: String,
    created_at: String,
    first_seen: String,
    server: String,
    edited_at: Option<String>,
    sightings: Vec<(String, String)>,
}

/// Reads frames as the project's rules say: admission, one post a uri, the newest version, deletes of any sighting.
#[derive(Default)]
struct Reader {
    posts: HashMap<String, Kept>,
    deleted: HashSet<(String, String)>,
    refused: Refused,
    frames: FrameCounts,
}

impl Reader {
    fn read(frames: impl Iterator<Item = RecordedFrame>) -> Reader {
        let mut reader = Reader::default();
        let mut last = None;
        for frame in frames {
            assert!(last <= Some(frame.observed_at), "frames come in the order of observed_at");
            last = Some(frame.observed_at);
            reader.take(frame);
        }
        let Reader { posts, deleted, .. } = &mut reader;
        posts.retain(|_, post| !post.sightings.iter().any(|sighting| deleted.contains(sighting)));
        reader
    }

    fn take(&mut self, frame: RecordedFrame) {
        match frame.event {
            "update" => self.frames.updates += 1,
            "status.update" => self.frames.edits += 1,
            _ => self.frames.deletes += 1,
        }
        if frame.event == "delete" {
            assert!(frame.payload.parse::<u64>().is_ok(), "a delete is a bare id");
            self.deleted.insert((frame.server, frame.payload));
            return;
        }
        let status: Value = serde_json::from_str(&frame.payload).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (note, account) = (plain_text(&text(&status["account"]["note"])), &status["account"]);
        match () {
            () if !status["reblog"].is_null() => return self.refused.boost += 1,
            () if status["visibility"] != "public" => return self.refused.visibility += 1,
            () if note.contains("#nobot") => return self.refused.nobot += 1,
            () if note.contains("#noindex") || account["noindex"] == true => return self.refused.noindex += 1,
            () => {}
        }
        let url = text(&status["url"]);
        let origin = url.trim_start_matches("https://").split('/').next().unwrap().to_owned();
        let username = text(&account["username"]);
        let acct = text(&account["acct"]);
        let local = origin == frame.server;
        assert_eq!(acct, if local { username.clone() } else { format!("{username}@{origin}") });
        assert!(local || status.get("application").is_none(), "apps do not federate");
        let observed_at = frame.observed_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let created_at = text(&status["created_at"]);
        assert_eq!(created_at[..10], observed_at[..10], "seen on the day of its creation");
        assert!(created_at <= observed_at);
        let sighting = (frame.server.clone(), text(&status["id"]));
        let new = Kept {
            author: format!("{username}@{origin}"),
            username,
            origin,
            language: status["language"].as_str().map(str::to_owned),
            text: plain_text(status["content"].as_str().unwrap()),
            created_at,
            first_seen: observed_at,
            server: frame.server,
            edited_at: status["edited_at"].as_str().map(str::to_owned),
            sightings: vec![sighting.clone()],
        };
        let kept = self.posts.entry(text(&status["uri"])).or_insert(new.clone_without_sightings());
        assert_eq!(kept.created_at, new.created_at);
        if new.edited_at > kept.edited_at {
            (kept.text, kept.edited_at) = (new.text, new.edited_at);
        }
        if !kept.sightings.contains(&sighting) {
            kept.sightings.push(sighting);
        }
    }
}

impl Kept {
    fn clone_without_sightings(&self) -> Kept {
        Kept {
            author: self.author.clone(),
            username: self.username.clone(),
            origin: self.origin.clone(),
            language: self.language.clone(),
            text: self.text.clone(),
            created_at: self.created_at.clone(),
            first_seen: self.first_seen.clone(),
            server: self.server.clone(),
            edited_at: self.edited_at.clone(),
            sightings: Vec::new(),
        }
    }
}

#[test]
fn at_full_size_the_totals_are_the_talks() {
    let talk = Talk::new(7, POSTS);
    let totals = talk.totals();
    assert_eq!(totals.posts, 1_622_149);
    assert_eq!(totals.authors, 142_877);
    assert_eq!(totals.origins, 8_309);
    assert_eq!(totals.languages, 131);
    assert_eq!((totals.characters_min, totals.characters_max), (0, 68_991));
    assert_eq!(totals.characters_sum, 245_245_677);
    let listed = [
        (17_880, 8_537, 1_524),
        (210_646, 54_006, 4_562),
        (191_391, 49_241, 4_310),
        (41_632, 17_846, 2_255),
        (99_097, 30_701, 3_350),
        (188_503, 49_649, 4_372),
        (166_096, 48_532, 4_227),
        (207_877, 54_230, 4_608),
    ];
    assert_eq!(totals.days.len(), 10);
    for (day, (posts, authors, origins)) in totals.days.iter().zip(listed) {
        assert_eq!((day.posts, day.authors, day.origins), (posts, authors, origins));
    }
}

#[test]
fn what_a_reader_finds_in_the_frames_are_the_totals() {
    for (seed, posts) in [(7, 12_000), (8, 700)] {
        let talk = Talk::new(seed, posts);
        let totals = talk.totals().clone();
        let reader = Reader::read(talk);
        let posts: Vec<&Kept> = reader.posts.values().collect();
        let distinct = |of: fn(&Kept) -> &str| posts.iter().map(|post| of(post)).collect::<HashSet<_>>().len() as u64;
        let lengths: Vec<u64> = posts.iter().map(|post| post.text.chars().count() as u64).collect();
        let mut days: BTreeMap<&str, (u64, HashSet<&str>, HashSet<&str>)> = BTreeMap::new();
        for post in &posts {
            assert_eq!(post.created_at[..10], post.first_seen[..10]);
            let day = days.entry(&post.created_at[..10]).or_default();
            day.0 += 1;
            day.1.insert(&post.author);
            day.2.insert(&post.origin);
        }
        let days = days.values().map(|(posts, authors, origins)| DayTotals {
            posts: *posts,
            authors: authors.len() as u64,
            origins: origins.len() as u64,
        });
        let found = Totals {
            posts: posts.len() as u64,
            authors: distinct(|post| &post.author),
            origins: distinct(|post| &post.origin),
            languages: distinct(|post| post.language.as_deref().unwrap_or("unknown")),
            characters_min: *lengths.iter().min().unwrap(),
            characters_max: *lengths.iter().max().unwrap(),
            characters_sum: lengths.iter().sum(),
            frames: reader.frames,
            edited: posts.iter().filter(|post| post.edited_at.is_some()).count() as u64,
            refused: reader.refused,
            days: days.collect(),
            // These frames leave no post.
            deleted: totals.deleted,
            deletes_of_unseen: totals.deletes_of_unseen,
        };
        assert_eq!(found, totals);
        assert_eq!(distinct(|post| &post.username), totals.authors, "usernames are unique");
        assert!(totals.frames.edits >= totals.edited && totals.edited > 0 && totals.deleted > 0);
    }
}

#[test]
fn replies_name_post_and_author_by_the_ids_of_the_server_that_shows_them() {
    let statuses: Vec<(String, Value)> = Talk::new(7, 12_000)
        .filter(|frame| frame.event != "delete")
        .map(|frame| (frame.server, serde_json::from_str(&frame.payload).unwrap()))
        .collect();
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    let mut shown: HashMap<(&str, String), &Value> = HashMap::new();
    for (server, status) in &statuses {
        shown.insert((server, id(&status["id"])), status);
    }
    let (mut threads, mut replies) = (0, 0);
    for (server, status) in statuses.iter().filter(|(_, status)| !status["in_reply_to_id"].is_null()) {
        let answered = shown[&(server.as_str(), id(&status["in_reply_to_id"]))];
        assert_eq!(status["in_reply_to_account_id"], answered["account"]["id"]);
        assert!(answered["created_at"].as_str() <= status["created_at"].as_str());
        if answered["account"]["id"] == status["account"]["id"] {
            threads += 1;
            continue;
        }
        replies += 1;
        let mentions = status["mentions"].as_array().unwrap();
        let of_author = |mention: &&Value| mention["id"] == answered["account"]["id"];
        let mention = mentions.iter().find(of_author).unwrap();
        assert_eq!(mention["acct"], answered["account"]["acct"]);
    }
    assert!(threads > 100 && replies > 400, "{threads} threads and {replies} replies of {}", statuses.len());
}

#[test]
fn mastodon_social_is_the_most_frequent_host_each_day() {
    let mut counts: BTreeMap<(String, &str), HashMap<String, u64>> = BTreeMap::new();
    for post in Reader::read(Talk::new(7, 12_000)).posts.into_values() {
        let day = post.created_at[..10].to_owned();
        *counts.entry((day.clone(), "origin")).or_default().entry(post.origin).or_default() += 1;
        *counts.entry((day, "server")).or_default().entry(post.server).or_default() += 1;
    }
    assert_eq!(counts.len(), 20);
    for (key, hosts) in counts {
        let most = hosts.iter().max_by_key(|(_, count)| **count).unwrap();
        assert_eq!(most.0, "mastodon.social", "{key:?}");
    }
}

#[test]
fn texts_compress_like_prose_and_use_their_scripts() {
    let mut texts = String::new();
    let mut scripts: BTreeMap<String, BTreeSet<char>> = BTreeMap::new();
    for post in Reader::read(Talk::new(7, 12_000)).posts.into_values().filter(|post| post.text.len() < 20_000) {
        if let Some(language) = &post.language {
            scripts.entry(language.clone()).or_default().extend(post.text.chars().filter(|c| c.is_alphabetic()));
        }
        texts.push_str(&post.text);
        texts.push('\n');
    }
    let ratio = zstd::bulk::compress(texts.as_bytes(), 3).unwrap().len() as f64 / texts.len() as f64;
    assert!((0.35..0.55).contains(&ratio), "zstd-3 leaves {ratio}");
    for (language, letters) in
        [("ja", "のは日"), ("ko", "이그"), ("ru", "иж"), ("el", "ως"), ("ar", "في"), ("zh", "的是")]
    {
        assert!(letters.chars().all(|letter| scripts[language].contains(&letter)), "{language}");
    }
}

#[test]
fn a_copy_has_the_same_figures_ten_days_later_by_other_people_of_the_same_servers() {
    let (first, second) = (Talk::new(7, 5_000), Talk::copy(7, 5_000, 1));
    assert_eq!((first.totals().posts, first.totals().authors), (second.totals().posts, second.totals().authors));
    let (first, second) = (Reader::read(first).posts, Reader::read(second).posts);
    assert_eq!(first.len(), second.len());
    assert!(first.keys().all(|uri| !second.contains_key(uri)));
    let days = |posts: &HashMap<String, Kept>| {
        posts.values().map(|post| post.created_at[..10].to_owned()).collect::<BTreeSet<_>>()
    };
    let (days_of_first, days_of_second) = (days(&first), days(&second));
    assert_eq!(days_of_first.len(), days_of_second.len());
    assert_eq!(
        (days_of_first.last().unwrap().as_str(), days_of_second.first().unwrap().as_str()),
        ("2023-02-12", "2023-02-13")
    );
    let hosts = |posts: &HashMap<String, Kept>| posts.values().map(|post| post.origin.clone()).collect::<BTreeSet<_>>();
    let shared = hosts(&first).intersection(&hosts(&second)).count();
    assert!(shared * 2 > hosts(&first).len(), "{shared} hosts are in both");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_lines_say_what_frames_say() {
    let write = |seed| {
        let (mut bytes, mut frames) = (Vec::new(), 0);
        Talk::new(seed, 500).write_jsonl(&mut bytes, &mut |written| frames = written).unwrap();
        (bytes, frames)
    };
    let (bytes, frames) = write(7);
    assert_eq!(bytes, write(7).0);
    assert_ne!(bytes, write(8).0);
    let lines: Vec<Value> = bytes.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(lines.len() as u64, frames);
    for (line, frame) in lines.iter().zip(Talk::new(7, 500)) {
        assert_eq!(line["server"], frame.server);
        assert_eq!(line["event"], frame.event);
        let observed_at = DateTime::parse_from_rfc3339(line["observed_at"].as_str().unwrap()).unwrap();
        assert_eq!(observed_at, frame.observed_at);
        match &line["payload"] {
            Value::String(id) => assert_eq!((frame.event, id), ("delete", &frame.payload)),
            status => assert_eq!(*status, serde_json::from_str::<Value>(&frame.payload).unwrap()),
        }
    }
}

#[test]
fn any_size_can_be_written() {
    for posts in [0, 1, 2, 3, 10, 50] {
        let talk = Talk::new(1, posts);
        let totals = talk.totals().clone();
        assert_eq!(totals.posts, posts);
        assert_eq!(Reader::read(talk).posts.len() as u64, posts);
    }
}
