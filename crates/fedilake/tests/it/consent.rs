//! The operator's policy on consent, from recorded frames and simulated servers to SQL.

use std::path::{Path, PathBuf};

use fedilake_sim::Config;
use serde_json::{Value, json};

use crate::beside::metrics;
use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake, wait_until};

/// A status of `user` at a.example; `text` is unlike any other's.
fn status(user: &str, number: u64, text: &str) -> Value {
    let mut status = crate::replay::status(number, text);
    status["uri"] = json!(format!("https://a.example/users/{user}/statuses/{number}"));
    status["url"] = json!(format!("https://a.example/@{user}/{number}"));
    status["account"] = json!({
        "id": user, "username": user, "acct": user, "url": format!("https://a.example/@{user}"), "note": "", "bot": false,
        "created_at": "2020-01-01T00:00:00.000Z", "followers_count": 3, "indexable": user == "ada"
    });
    status["application"] = json!({"name": "Tusky"});
    status["tags"] = json!([{"name": format!("tag{user}"), "url": "https://a.example/tags/x"}]);
    status["mentions"] =
        json!([{"id": "9", "username": "cat", "acct": "cat@c.example", "url": "https://c.example/@cat"}]);
    status
}

/// The status as b.example shows it.
fn elsewhere(status: &Value) -> Value {
    let mut seen = status.clone();
    seen["id"] = json!(format!("77{}", status["id"].as_str().unwrap()));
    let acct = format!("{}@a.example", status["account"]["username"].as_str().unwrap());
    seen["account"]["acct"] = json!(acct);
    seen
}

fn edited(status: &Value, text: &str) -> Value {
    let mut edited = status.clone();
    edited["edited_at"] = json!("2023-02-04T11:00:00.000Z");
    edited["content"] = json!(format!("<p>{text}</p>"));
    edited
}

fn frame(server: &str, event: &str, payload: &Value, minute: u32) -> String {
    let observed_at = format!("2023-02-04T12:{minute:02}:00Z");
    json!({"server": server, "observed_at": observed_at, "event": event, "payload": payload}).to_string()
}

/// A data folder, and a key outside of it.
struct Installation {
    data: Data,
    replays: u32,
}

impl Installation {
    fn new() -> Installation {
        Installation { data: Data::new(), replays: 0 }
    }

    fn key(&self) -> PathBuf {
        self.data.beside("config/consent.key")
    }

    /// Replays `frames` in a process of its own.
    fn replay(&mut self, flags: &[&str], frames: &[String]) -> Said {
        self.replays += 1;
        let file = self.data.beside(&format!("frames-{}.jsonl", self.replays));
        std::fs::write(&file, frames.join("\n")).unwrap();
        let mut command = fedilake(["replay"]);
        command.arg(&file).args(flags).arg("--data").arg(self.data.path());
        Said::from(command.env("FEDILAKE_CONSENT_KEY_FILE", self.key()).output().unwrap()).done()
    }

    /// The rows of a question, as the lake and the plain files answer it alike.
    fn rows(&self, sql: &str) -> Value {
        let lake = self.data.run(["sql", sql, "--format", "json"]).done().json();
        let files = self.data.run(["sql", "--direct", sql, "--format", "json"]).done().json();
        assert_eq!(lake, files, "{sql}");
        lake
    }

    fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0].as_object().unwrap().values().next().unwrap().as_i64().unwrap()
    }
}

/// Ada agrees to be indexed, bob does not. Each writes three posts, which two servers show.
fn posts() -> Vec<(&'static str, u64)> {
    vec![("ada", 11), ("ada", 12), ("ada", 13), ("bob", 21), ("bob", 22), ("bob", 23)]
}

fn creates() -> Vec<String> {
    let shown = posts().into_iter().flat_map(|(user, number)| {
        let status = status(user, number, &format!("secret{user} said first"));
        [frame("a.example", "update", &status, 0), frame("b.example", "update", &elsewhere(&status), 1)]
    });
    shown.collect()
}

/// The second post of each is edited, the third deleted.
fn changes() -> Vec<String> {
    let edit = |user: &str, number: u64| edited(&status(user, number, ""), &format!("secret{user} said later now"));
    vec![
        frame("a.example", "status.update", &edit("ada", 12), 5),
        frame("a.example", "status.update", &edit("bob", 22), 5),
        frame("a.example", "delete", &json!("13"), 6),
        frame("a.example", "delete", &json!("23"), 6),
    ]
}

#[test]
fn under_each_policy_edits_and_deletes_meet_their_posts_in_another_process() {
    for (policy, visible, named) in [("open", 4, 4), ("indexable", 4, 2), ("strict", 2, 2)] {
        let mut here = Installation::new();
        let said = here.replay(&["--consent", policy], &creates());
        assert_eq!(said.stderr.contains("6 skipped (not_indexable 6)"), policy == "strict", "{}", said.stderr);
        here.replay(&["--consent", policy], &changes());
        assert_eq!(here.number("select count(*) from posts"), visible, "{policy}");
        assert_eq!(here.number("select count(distinct author) from posts"), if policy == "strict" { 1 } else { 2 });
        assert_eq!(here.number("select count(*) from posts where text like 'secret%'"), named, "{policy}");
        // The edit of each is the second version of one post.
        let edits = here.rows("select text, words from posts where edited_at is not null order by text");
        let expected = match policy {
            "open" => {
                json!([{"text": "secretada said later now", "words": 4}, {"text": "secretbob said later now", "words": 4}])
            }
            "indexable" => json!([{"text": "secretada said later now", "words": 4}, {"text": null, "words": 4}]),
            _ => json!([{"text": "secretada said later now", "words": 4}]),
        };
        assert_eq!(edits, expected, "{policy}");
        assert_eq!(here.number("select count(*) from sightings"), 2 * visible, "{policy}");
        assert_eq!(here.number("select count(*) from deletes"), if policy == "strict" { 1 } else { 2 }, "{policy}");
        here.data.run(["check"]).done();
        assert_eq!(here.key().exists(), policy == "indexable");
    }
}

#[test]
fn a_hashed_post_carries_nothing_that_its_author_wrote_or_is_called() {
    let mut here = Installation::new();
    here.replay(&["--consent", "indexable"], &[creates(), changes()].concat());
    let hashed = "from posts where not author_indexable";
    let rows = here.rows(&format!(
        "select distinct url, text, spoiler_text, tags, mentions, links, app, author_followers, author_domain, language {hashed}"
    ));
    assert_eq!(
        rows,
        json!([{"url": null, "text": null, "spoiler_text": null, "tags": null, "mentions": null, "links": null, "app": null,
                "author_followers": null, "author_domain": "a.example", "language": "en"}])
    );
    let names = here.rows(&format!("select uri, id, author {hashed} order by uri")).to_string();
    assert!(names.contains("urn:fedilake:") && !names.contains("bob"), "{names}");
    // Nor is it in any row of the files, whatever the column; the delete alone names the id that its server told. Hashes and times may have any
    // digits.
    let files =
        format!("read_parquet('{}/table/posts/**/*.parquet', union_by_name = true)", here.data.path().display());
    let sql = format!(
        "select count(*) from {files} rows where to_json(rows)::varchar similar to '.*(bob|\"2[12]\"|[^0-9a-f.]7723[^0-9a-f]).*'"
    );
    let count = here.data.run(["sql", "--direct", &sql, "--format", "json"]).done().json();
    assert_eq!(count[0].as_object().unwrap().values().next().unwrap(), &json!(0), "{count}");
    let key = std::fs::read_to_string(here.key()).unwrap();
    let said = here.replay(&["--consent", "indexable", "-vv"], &changes());
    assert!(!said.stderr.contains(key.trim()), "the key is printed");
}

#[test]
fn deletes_reach_posts_that_were_kept_under_another_policy() {
    let told = |number: &str| frame("a.example", "delete", &json!(number), 30);
    for (first, then) in [("open", "indexable"), ("indexable", "open"), ("indexable", "strict")] {
        let mut here = Installation::new();
        here.replay(&["--consent", first], &creates());
        here.replay(&["--consent", then], &[told("11"), told("21"), told("22")]);
        assert_eq!(here.number("select count(*) from posts"), 3, "{first}, then {then}");
    }
}

#[test]
fn an_author_who_agrees_later_is_not_counted_twice() {
    let mut here = Installation::new();
    here.replay(&["--consent", "indexable"], &creates());
    let mut agreed = edited(&status("bob", 21, ""), "secretbob agreed");
    agreed["account"]["indexable"] = json!(true);
    here.replay(&["--consent", "indexable"], &[frame("a.example", "status.update", &agreed, 9)]);
    assert_eq!(here.number("select count(*) from posts"), 6);
    assert_eq!(here.number("select count(*) from posts where author = 'bob@a.example'"), 1);
}

/// A later status of ada that says no, by `how`.
fn refusal(how: &str, number: u64, is_edit: bool) -> Value {
    let mut no = status("ada", number, "secretada again");
    match how {
        "note" => no["account"]["note"] = json!("<p>please #nobot</p>"),
        "noindex" => no["account"]["noindex"] = json!(true),
        _ => no["account"]["indexable"] = json!(false),
    }
    if is_edit { edited(&no, "secretada again") } else { no }
}

#[test]
fn all_that_is_held_of_an_author_who_says_no_later_is_deleted() {
    for (policy, how, is_edit) in [
        ("open", "note", true),
        ("open", "note", false),
        ("open", "noindex", true),
        ("indexable", "note", false),
        ("indexable", "indexable", false),
        ("strict", "indexable", true),
        ("strict", "indexable", false),
    ] {
        let mut here = Installation::new();
        here.replay(&["--consent", policy], &creates());
        let number = if is_edit { 11 } else { 14 };
        let event = if is_edit { "status.update" } else { "update" };
        here.replay(&["--consent", policy], &[frame("a.example", event, &refusal(how, number, is_edit), 20)]);
        let of_ada = "from posts where author = 'ada@a.example' or text like 'secretada%'";
        assert_eq!(here.number(&format!("select count(*) {of_ada}")), 0, "{policy}, {how}, {is_edit}");
        assert_eq!(here.number("select count(*) from deletes"), 3, "{policy}, {how}, {is_edit}");
        // A post that counts under a hash is no post of hers with a name; others' posts stay.
        let others = match (policy, how) {
            ("indexable", "indexable") => 4,
            ("strict", _) => 0,
            _ => 3,
        };
        assert_eq!(here.number("select count(*) from posts"), others, "{policy}, {how}, {is_edit}");
        here.data.run(["check"]).done();
        // A lake that is rebuilt shows the same.
        std::fs::remove_file(here.data.path().join("lake.duckdb")).unwrap();
        assert_eq!(here.number(&format!("select count(*) {of_ada}")), 0, "rebuilt: {policy}, {how}, {is_edit}");
    }
}

#[test]
fn a_hashed_author_who_says_nobot_later_is_gone_too() {
    let mut here = Installation::new();
    here.replay(&["--consent", "indexable"], &creates());
    let mut no = status("bob", 29, "secretbob again");
    no["account"]["note"] = json!("#nobot");
    here.replay(&["--consent", "indexable"], &[frame("a.example", "update", &no, 20)]);
    assert_eq!(here.number("select count(*) from posts"), 3);
    assert_eq!(here.number("select count(*) from posts where author_indexable"), 3);
}

#[test]
fn the_last_word_of_an_author_counts_and_only_for_what_was_seen_before_it() {
    let mut here = Installation::new();
    here.replay(&[], &creates());
    // She says no and takes it back.
    let yes = frame("a.example", "update", &status("ada", 15, "secretada is back"), 21);
    here.replay(&[], &[frame("a.example", "update", &refusal("note", 14, false), 20), yes]);
    assert_eq!(here.number("select count(*) from posts where author = 'ada@a.example'"), 4);
    // An old file in which she said no does not reach what was seen since.
    let mut old = Installation::new();
    let at = |minute| frame("a.example", "update", &status("ada", 40 + u64::from(minute), "x"), minute);
    old.replay(&[], &[at(1), at(40)]);
    old.replay(&[], &[frame("a.example", "update", &refusal("note", 14, false), 20)]);
    assert_eq!(old.rows("select id from posts"), json!([{"id": "80"}]));
}

#[test]
fn an_edit_that_is_no_longer_public_deletes_what_was() {
    let mut here = Installation::new();
    here.replay(&[], &creates());
    let mut hidden = edited(&status("bob", 21, ""), "for friends");
    hidden["visibility"] = json!("private");
    here.replay(&[], &[frame("a.example", "status.update", &hidden, 20)]);
    assert_eq!(here.number("select count(*) from posts where author = 'bob@a.example'"), 2);
}

#[test]
fn who_opted_out_is_not_kept_and_what_is_held_goes() {
    let mut here = Installation::new();
    here.replay(&[], &creates());
    let list = here.data.beside("opt-out.txt");
    let flags = ["--opt-out".to_owned(), list.display().to_string()];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let fresh = |number| frame("a.example", "update", &status("bob", number, "secretbob anew"), 31);
    std::fs::write(&list, "# asked us on Monday\n@Bob@A.example\n").unwrap();
    let said = here.replay(&flags, &[fresh(31)]);
    assert!(said.stderr.contains("opted_out 1"), "{}", said.stderr);
    assert_eq!(here.rows("select distinct author from posts"), json!([{"author": "ada@a.example"}]));
    std::fs::write(&list, "a.example\n").unwrap();
    here.replay(&flags, &[fresh(32)]);
    assert_eq!(here.number("select count(*) from posts"), 0);
    // Who is taken off the list is kept again, from now on.
    std::fs::write(&list, "").unwrap();
    here.replay(&flags, &[fresh(33)]);
    assert_eq!(here.number("select count(*) from posts"), 1);
}

#[test]
fn a_list_that_cannot_be_read_is_refused_by_its_line() {
    let data = Data::new();
    let list = data.beside("opt-out.txt");
    std::fs::write(&list, "a.example\nann\nhttps://b.example/@ann\n").unwrap();
    let said = data.run_with_input(["replay", "-", "--opt-out", list.to_str().unwrap()], b"");
    assert_eq!(said.code(), Some(2));
    assert!(said.stderr.contains("line 3") && said.stderr.contains("opt-out.txt"), "{}", said.stderr);
    assert!(!data.path().exists());
}

fn running(servers: &Servers, data: &Data, key: &Path, flags: &[&str]) -> Running {
    Running::answering(servers.run(data).args(flags).env("FEDILAKE_CONSENT_KEY_FILE", key))
}

#[test]
fn live_posts_of_authors_who_did_not_agree_are_counted_or_left_out() {
    for policy in ["indexable", "strict"] {
        let servers = Servers::start(Config { servers: 2, rate: 0.0, ..Config::default() });
        let (data, key) = (Data::new(), Data::new());
        let running = running(&servers, &data, &key.beside("key"), &["--consent", policy]);
        let is_shown = |what: &str| data.number(&format!("select count(*) from posts where {what}")) > 2;
        wait_until("posts of authors who agree", || {
            servers.simulation.publish(0);
            is_shown("author_indexable and text is not null and starts_with(uri, 'http')")
        });
        if policy == "indexable" {
            wait_until("hashed posts", || {
                servers.simulation.publish(1);
                is_shown("not author_indexable and text is null and starts_with(uri, 'urn:')")
            });
        }
        let others = "not author_indexable and (text is not null or not starts_with(uri, 'urn:'))";
        assert_eq!(data.number(&format!("select count(*) from posts where {others}")), 0, "{policy}");
        let hashed = data.number("select count(*) from posts where not author_indexable");
        assert_eq!(hashed > 0, policy == "indexable");
        running.interrupt().done();
        servers.stop();
    }
}

#[test]
fn a_collector_without_a_lake_deletes_the_last_posts_of_those_who_say_no() {
    let servers = Servers::start(Config { servers: 2, rate: 0.0, local_ratio: 1.0, ..Config::default() });
    let data = Data::new();
    let list = data.beside("opt-out.txt");
    std::fs::write(&list, "").unwrap();
    let mut command = fedilake(["collect", "--opt-out", list.to_str().unwrap(), "--listen", "127.0.0.1:0", "--data"]);
    let mut running = Running::start(command.arg(data.path()).args(servers.flags()));
    let address = running.address();
    let accepted = |address| {
        let page = metrics(address);
        let value = page.lines().find_map(|line| line.strip_prefix("fedilake_collect_accepted_total "));
        value.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    let host = servers.simulation.addresses()[0].to_string();
    let publish = || (0..2).for_each(|server| drop(servers.simulation.publish(server)));
    wait_until("posts of both by both", || {
        publish();
        accepted(address) > 40
    });
    std::fs::write(&list, format!("{host}\n")).unwrap();
    let skips = || metrics(address).lines().any(|line| line.contains("opted_out") && !line.ends_with(" 0"));
    wait_until("who says no", || {
        publish();
        skips()
    });
    // Each author is met again with her next post.
    let until = accepted(address) + 400;
    wait_until("many posts more", || {
        publish();
        accepted(address) > until
    });
    running.interrupt().done();
    data.run(["sink"]).done();
    let kept = data.number(&format!("select count(*) from posts where author_domain <> '{host}'"));
    let deleted = data.number(&format!("select count(*) from deletes where author_domain = '{host}'"));
    // The servers delete nothing of themselves here.
    let others = data.number(&format!("select count(*) from deletes where author_domain <> '{host}'"));
    assert!(kept > 100 && deleted > 0 && others == 0, "{kept} kept, {deleted} and {others} deleted");
    servers.stop();
}

#[test]
fn a_name_that_comes_on_the_list_of_a_running_process_counts_at_once() {
    let servers = Servers::start(Config { servers: 2, rate: 0.0, local_ratio: 1.0, ..Config::default() });
    let (data, key) = (Data::new(), Data::new());
    let list = data.beside("opt-out.txt");
    std::fs::write(&list, "").unwrap();
    let running = running(&servers, &data, &key.beside("key"), &["--opt-out", list.to_str().unwrap()]);
    let host = servers.simulation.addresses()[0].to_string();
    let held = |of: &str| data.number(&format!("select count(*) from posts where author_domain = '{of}'"));
    let other = servers.simulation.addresses()[1].to_string();
    wait_until("posts of both", || {
        (0..2).for_each(|server| drop(servers.simulation.publish(server)));
        held(&host) > 3 && held(&other) > 3
    });
    std::fs::write(&list, format!("{host}\n")).unwrap();
    wait_until("what was held of it is gone", || held(&host) == 0);
    let before = held(&other);
    wait_until("new posts of the other", || {
        (0..2).for_each(|server| drop(servers.simulation.publish(server)));
        held(&other) > before + 3
    });
    assert_eq!(held(&host), 0);
    let said = running.interrupt().done();
    assert!(said.stderr.contains("opted_out"), "{}", said.stderr);
    data.run(["check"]).done();
    servers.stop();
}
