//! The lake's views and the same views over plain files give the same rows, whatever happened and however it was
//! split into files and takes.

use fedilake_query::views::{self, Deletes};
use proptest::prelude::*;

use crate::support::{Bench, Event};

/// The servers; the first two are some posts' own.
const SERVERS: [&str; 4] = ["one.test", "two.test", "alpha.test", "beta.test"];

/// List elements that a separator, a quote or a missing null would change.
const ITEMS: [Option<&str>; 12] = [
    Some("a"),
    Some("b\u{1f}c"),
    Some("\u{1f}"),
    Some(""),
    None,
    Some("nul\0nul"),
    Some("'quoted' \"twice\""),
    Some("[x, y]"),
    Some("null"),
    Some("a, b"),
    Some("日本 «ß»"),
    Some("ann@one.test"),
];

fn lists() -> impl Strategy<Value = Option<Vec<Option<String>>>> {
    proptest::option::weighted(
        0.8,
        proptest::collection::vec(0..ITEMS.len(), 0..4)
            .prop_map(|items| items.into_iter().map(|item| ITEMS[item].map(str::to_owned)).collect()),
    )
}

/// A random event; there are few posts, servers and times, so that events often meet.
fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![6 => Just("created"), 3 => Just("edited"), 2 => Just("deleted"), 1 => Just("rejected")];
    let who = (0..SERVERS.len(), 0..6i64, 0..4i64, any::<bool>(), proptest::option::weighted(0.6, any::<bool>()));
    // Some times are later than the moment at which the event is seen.
    let claimed = prop_oneof![4 => 0..3i64, 1 => 4..7i64, 1 => Just(900_000_000i64)];
    let when = (proptest::option::weighted(0.8, claimed.clone()), proptest::option::of(claimed), 0..5i64);
    let what = (0..4u8, 0..4u8, 0..3u8, 0..2i32, any::<bool>(), 0..3u8, lists());
    let reply = (0..4usize, 0..3usize);
    (kind, who, when, what, reply).prop_map(
        |(
            kind,
            (server, n, author, odd_id, own),
            (created, edited, observed),
            (text, language, app, favourites, bot, url, lists),
            (reply, reply_author),
        )| {
            let mut event = Event::created(SERVERS[server], n, "x@y", 0);
            let id_of = |n: i64| (n + 10 * server as i64).to_string();
            event.created = created.map(|created| created * 40_000);
            event.kind = kind;
            // Every server has its own id of a post, and sometimes the same one as another server has of another
            // post.
            event.id = if odd_id { format!("0{}", n % 4) } else { id_of(n) };
            let user = if favourites == 1 { "User" } else { "user" };
            event.author = format!("{user}{author}@{}", ["one.test", "two.test"][author as usize % 2]);
            event.uri = Some(match text {
                3 => format!("https://{}.test/odd/{n}", ["one", "two"][n as usize % 2]),
                _ => format!("https://{}.test/users/user{author}/statuses/{n}", ["one", "two"][n as usize % 2]),
            });
            event.edited = edited.filter(|_| kind == "edited").map(|edited| 88_000 + edited);
            event.observed = 90_000 + observed;
            event.text = ["", "a balloon", "BALLOONs and chatGPT", "Ünïcode «ß» 日本"][text as usize].to_owned();
            event.language = [None, Some("en"), Some("pt_BR"), Some("und")][language as usize].map(str::to_owned);
            event.app = [None, Some("Tusky"), Some("Web")][app as usize].map(str::to_owned);
            event.favourites = favourites;
            event.bot = Some(bot);
            event.lists = lists;
            event.own = own;
            event.reply = match reply {
                0 => (None, None, None),
                1 => (Some("self"), Some(id_of((n + 1) % 6)), None),
                2 => (Some("other"), Some(format!("0{}", n % 4)), None),
                _ => (Some("none"), None, None),
            };
            event.reply.2 =
                [None, Some("USER1@two.test"), Some("nobody@elsewhere.test")][reply_author].map(str::to_owned);
            event.url = match url {
                0 => event.url,
                1 => None,
                _ => Some("https://elsewhere.test/1".to_owned()),
            };
            if kind == "deleted" || kind == "rejected" {
                (event.uri, event.url) = (None, None);
            }
            event
        },
    )
}

/// Files: the log and partition of each, its records, and whether a take follows.
fn files() -> impl Strategy<Value = Vec<(usize, Vec<Event>, bool)>> {
    proptest::collection::vec((0..3usize, proptest::collection::vec(event(), 0..12), any::<bool>()), 1..7)
}

fn deletes() -> impl Strategy<Value = Deletes> {
    prop_oneof![Just(Deletes::Origin), Just(Deletes::Any), Just(Deletes::All)]
}

fn rows(of: &str) -> String {
    format!("select v::varchar from {of} v order by 1")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_lake_shows_what_the_plain_files_show(files in files(), deletes in deletes()) {
        let mut bench = Bench::with(deletes);
        let mut pending = Vec::new();
        let last = files.len() - 1;
        for (n, (place, events, take)) in files.iter().enumerate() {
            let (log, partition) = [("log-b", 0), ("log-a", 1), ("log-a", 0)][*place];
            pending.push(bench.write(log, partition, events));
            if *take || n == last {
                bench.lake.take(&std::mem::take(&mut pending), &mut |_| ()).unwrap();
            }
        }
        for view in views::DOCUMENTED {
            prop_assert_eq!(bench.ask(&rows(view)), bench.plain(&rows(view)), "{} {}", view, deletes);
        }
        prop_assert_eq!(bench.inside(HITS), bench.inside(MENTIONS), "followed words, {}", deletes);
        let again = bench.chunks.clone();
        bench.lake.take(&again, &mut |_| ()).unwrap();
        prop_assert_eq!(bench.ask(&rows("posts")), bench.plain(&rows("posts")), "taken again");
    }
}

/// How often each followed word is stored as mentioned, and how often it occurs.
const HITS: &str = "select topic.word, count(hit.post) from internal.topic left join internal.topic_hit hit on hit.topic = topic.id \
    group by 1 order by 1";
const MENTIONS: &str = "select topic.word, count(posts.uri) from internal.topic left join posts \
    on contains(lower(posts.text), topic.word) group by 1 order by 1";
