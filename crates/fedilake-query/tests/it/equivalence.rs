//! The lake's views and the same views over plain files give the same rows, whatever happened and however it was
//! split into files and takes.

use proptest::prelude::*;

use crate::support::{Bench, Event};

const SERVERS: [&str; 3] = ["alpha.test", "beta.test", "gamma.test"];

/// What one record says, small enough that posts, servers and times meet often.
fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![6 => Just("created"), 3 => Just("edited"), 2 => Just("deleted"), 1 => Just("rejected")];
    let who = (0..3usize, 0..6i64, 0..4i64, any::<bool>());
    let when = (proptest::option::weighted(0.8, 0..3i64), proptest::option::of(0..3i64), 0..5i64);
    let what = (0..4u8, 0..3u8, 0..3u8, 0..2i32, any::<bool>(), 0..3u8);
    (kind, who, when, what).prop_map(
        |(
            kind,
            (server, n, author, odd_id),
            (created, edited, observed),
            (text, language, app, favourites, bot, url),
        )| {
            let mut event = Event::created(SERVERS[server], n, "x@y", 0);
            event.created = created.map(|created| created * 40_000);
            event.kind = kind;
            // Every server has its own id of a post, and sometimes the same one as another post.
            event.id = if odd_id { format!("0{}", n % 4) } else { (n + 10 * server as i64).to_string() };
            event.author = format!("user{author}@{}", ["one.test", "two.test"][author as usize % 2]);
            event.edited = edited.filter(|_| kind == "edited").map(|edited| 100_000 + edited);
            event.observed = 90_000 + observed;
            event.text = ["", "a balloon", "BALLOONs and chatGPT", "Ünïcode «ß» 日本"][text as usize].to_owned();
            event.language = [None, Some("en"), Some("pt-BR")][language as usize].map(str::to_owned);
            event.app = [None, Some("Tusky"), Some("Web")][app as usize].map(str::to_owned);
            event.favourites = favourites;
            event.bot = Some(bot);
            event.tags = [None, Some(vec![]), Some(vec!["a".to_owned(), "b".to_owned()])][text as usize % 3].clone();
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

/// Files: which log and partition each goes to, its records, and whether a take follows.
fn files() -> impl Strategy<Value = Vec<(usize, Vec<Event>, bool)>> {
    proptest::collection::vec((0..3usize, proptest::collection::vec(event(), 0..12), any::<bool>()), 1..7)
}

fn rows(of: &str) -> String {
    format!("select v::varchar from {of} v order by 1")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_lake_shows_what_the_plain_files_show(files in files()) {
        let mut bench = Bench::new();
        let mut pending = Vec::new();
        let last = files.len() - 1;
        for (n, (place, events, take)) in files.iter().enumerate() {
            let (log, partition) = [("log-b", 0), ("log-a", 1), ("log-a", 0)][*place];
            pending.push(bench.write(log, partition, events));
            if *take || n == last {
                bench.lake.take(&std::mem::take(&mut pending), &mut |_| ()).unwrap();
            }
        }
        for view in ["posts", "sightings", "mastodon_toot"] {
            prop_assert_eq!(bench.ask(&rows(view)), bench.plain(&rows(view)), "{}", view);
        }
        let again = bench.chunks.clone();
        bench.lake.take(&again, &mut |_| ()).unwrap();
        prop_assert_eq!(bench.ask(&rows("posts")), bench.plain(&rows("posts")), "taken again");
    }
}
