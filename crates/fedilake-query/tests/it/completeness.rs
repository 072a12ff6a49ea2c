//! The completeness of servers, by posts made by hand.

use fedilake_query::{Completeness, Reading, Span};

use crate::support::{Bench, Event};

/// 2023-02-03 00:00 UTC, from which events count their seconds.
const START: i64 = 1_675_382_400;

fn micros(second: i64) -> i64 {
    (START + second) * 1_000_000
}

fn found(bench: &Bench, span: Span) -> Vec<(String, [u64; 4])> {
    let counts = |found: Completeness| {
        (found.server, [found.elsewhere, found.common, found.elsewhere_lately, found.common_lately])
    };
    bench.lake.completeness(&span).unwrap().into_iter().map(counts).collect()
}

#[test]
fn a_server_is_as_complete_as_what_others_show_of_its_members_says() {
    let mut bench = Bench::new();
    let of_ann = |n: i64| Event::created("b.example", n, "ann@a.example", n);
    let of_cid = |n: i64| Event::created("b.example", n, "cid@c.example", n);
    let mut events: Vec<Event> = vec![of_ann(0).by_own_server()];
    events.extend((10..30).map(of_ann));
    // Its own server shows half of them, and one that nobody else shows.
    events.extend((10..20).map(|n| of_ann(n).by_own_server()));
    events.push(of_ann(40).by_own_server());
    events.extend((10..13).map(of_cid));
    // Deleted by whom it was shown: nobody shows it.
    events.extend([of_ann(41), Event::deleted("b.example", 41, 43)]);
    bench.take(&events);

    let day = Span { from_micros: micros(-1), lately_micros: micros(25), until_micros: micros(60), read: Vec::new() };
    assert_eq!(found(&bench, day.clone()), [("a.example".to_owned(), [20, 10, 5, 0])]);
    // A server that never showed a post is known by whoever reads it.
    let reading = |server: &str, domain: Option<&str>, since: i64| Reading {
        server: server.to_owned(),
        domain: domain.map(str::to_owned),
        since_micros: micros(since),
    };
    let with = Span { read: vec![reading("C.example", None, 11), reading("a.example", None, 50)], ..day.clone() };
    let both = [("a.example".to_owned(), [20, 10, 5, 0]), ("c.example".to_owned(), [2, 0, 0, 0])];
    assert_eq!(found(&bench, with), both, "the lake knows better since when a server was read");
    // One whose members have another domain, of which it never showed a post, is known by that domain.
    for (server, began) in [("social.c.example", 11), ("b.example", 0)] {
        let with = Span { read: vec![reading(server, Some("c.example"), 11)], ..day.clone() };
        let told = found(&bench, with);
        assert_eq!(told[0], ("a.example".to_owned(), [20, 10, 5, 0]));
        assert_eq!(told.len(), 1 + usize::from(began > 0), "nobody else shows the posts that b.example shows");
        assert!(told[1..].iter().all(|found| *found == (server.to_owned(), [2, 0, 0, 0])), "{told:?}");
    }
    let short = Span { from_micros: micros(15), until_micros: micros(22), ..day };
    assert_eq!(found(&bench, short), [("a.example".to_owned(), [7, 5, 0, 0])]);
}

#[test]
fn an_empty_lake_knows_no_completeness() {
    let read = Reading { server: "a.example".to_owned(), domain: None, since_micros: 0 };
    let span = Span { until_micros: i64::MAX / 2, read: vec![read], ..Span::default() };
    assert_eq!(found(&Bench::new(), span), []);
}
