//! Ranks of servers: no server changes or hides what a post's own server shows.

use fedilake_query::views::Deletes;

use crate::support::{Bench, Event};

const YEAR: i64 = 365 * 86_400;

/// Ann's post as her own server shows it.
fn own() -> Event {
    Event { text: "as ann wrote it".to_owned(), ..Event::created("x", 1, "ann@one.test", 100) }.by_own_server()
}

/// Ann's post as another server shows it.
fn foreign(server: &str) -> Event {
    Event {
        server: server.to_owned(),
        id: "77".to_owned(),
        own: Some(false),
        text: format!("as {server} tells it"),
        observed: 200,
        ..own()
    }
}

fn delete(of: &Event, observed: i64) -> Event {
    Event { kind: "deleted", uri: None, url: None, observed, own: None, ..of.clone() }
}

fn edit(of: Event, edited: i64, observed: i64, text: &str) -> Event {
    Event { kind: "edited", edited: Some(edited), observed, text: text.to_owned(), ..of }
}

/// The rows of the lake and of the plain files after the events, in several orders, taken one by one and all at once.
fn shown(deletes: Deletes, events: &[Event], sql: &str) -> Vec<Vec<String>> {
    let n = events.len();
    let rotated = |by: usize| (0..n).map(|at| (at + by) % n).collect::<Vec<_>>();
    let orders = (0..n).map(|by| (rotated(by), 1)).chain([((0..n).rev().collect(), 1), ((0..n).collect(), n)]);
    let mut answers = Vec::new();
    let mut bench = Bench::with(deletes);
    for (order, at_once) in orders {
        let events: Vec<_> = order.iter().map(|&n| events[n].clone()).collect();
        bench = bench.emptied();
        events.chunks(at_once).for_each(|events| bench.take(events));
        let answer = bench.ask(sql);
        assert_eq!(answer, bench.plain(sql), "{deletes} {order:?} {at_once} at once");
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{deletes}: depends on the order: {answers:?}");
    answers.remove(0)
}

const EACH: [Deletes; 3] = [Deletes::Origin, Deletes::Any, Deletes::All];
const TEXTS: &str = "select text from posts order by text";

#[test]
fn no_other_server_replaces_what_the_own_server_said() {
    let lies = [
        foreign("evil.test"),
        edit(foreign("evil.test"), 976 * YEAR, 300, "edited in 2999"),
        Event { created: Some(0), author: "eve@one.test".to_owned(), ..foreign("evil.test") },
        // Seen later than everything that the own server showed.
        Event { observed: 10 * YEAR, ..foreign("evil.test") },
        Event { app: Some("Evil".to_owned()), ..foreign("evil.test") },
    ];
    let row = "select text, author, epoch(created_at)::bigint - 1675382400, edited_at, coalesce(app, ''), from_origin from posts";
    for lie in lies {
        let rows = shown(Deletes::Origin, &[own(), lie.clone()], row);
        assert_eq!(rows, [["as ann wrote it", "ann@one.test", "100", "", "", "true"]], "{lie:?}");
    }
}

#[test]
fn an_edit_dated_in_the_future_does_not_hide_a_later_one() {
    for by in [own(), foreign("alpha.test")] {
        let early = edit(by.clone(), YEAR, 1_000, "dated next year");
        let late = edit(by.clone(), 2_000, 2_001, "the last word");
        assert_eq!(shown(Deletes::Origin, &[by, early, late], TEXTS), [["the last word"]]);
    }
}

#[test]
fn no_time_counts_beyond_the_moment_at_which_it_was_seen() {
    let claimed = edit(Event { created: Some(900 * YEAR), ..own() }, 976 * YEAR, 500, "x");
    let times = "select epoch(created_at)::bigint - 1675382400, epoch(edited_at)::bigint - 1675382400 from posts";
    assert_eq!(shown(Deletes::Origin, &[claimed], times), [["500", "500"]]);
}

#[test]
fn a_record_of_an_earlier_version_is_the_own_servers_if_its_host_is_the_uris() {
    let old = |event: Event| Event { own: None, ..event };
    let rows = shown(Deletes::Origin, &[old(own()), old(foreign("evil.test"))], "select text, from_origin from posts");
    assert_eq!(rows, [["as ann wrote it", "true"]]);
}

#[test]
fn a_delete_by_the_own_server_hides_the_post_everywhere_and_always() {
    for deletes in EACH {
        let events = [own(), foreign("alpha.test"), delete(&own(), 300)];
        assert_eq!(shown(deletes, &events, TEXTS), Vec::<Vec<String>>::new(), "{deletes}");
        assert_eq!(shown(deletes, &events, "from sightings"), Vec::<Vec<String>>::new(), "{deletes}");
    }
}

#[test]
fn another_servers_delete_hides_what_the_setting_says() {
    let (ours, alpha, beta) =
        (own(), foreign("alpha.test"), Event { id: "78".to_owned(), observed: 201, ..foreign("beta.test") });
    let by_alpha = delete(&alpha, 300);
    let by_beta = delete(&beta, 300);
    let cases: [(&str, Vec<Event>, [bool; 3]); 6] = [
        ("the own server showed it", vec![ours.clone(), alpha.clone(), by_alpha.clone()], [true, false, true]),
        ("nobody reads the own server", vec![alpha.clone(), beta.clone(), by_alpha.clone()], [false, false, true]),
        ("its only sighting", vec![alpha.clone(), by_alpha.clone()], [false, false, false]),
        ("all but the own server's", vec![ours, alpha.clone(), by_alpha.clone(), by_beta.clone()], [true, false, true]),
        ("every sighting", vec![alpha.clone(), beta.clone(), by_alpha, by_beta], [false, false, false]),
        ("a server that never showed it", vec![alpha, delete(&beta, 300)], [true, true, true]),
    ];
    for (case, events, visible) in cases {
        for (deletes, visible) in EACH.into_iter().zip(visible) {
            let posts = shown(deletes, &events, TEXTS);
            assert_eq!(posts.len(), usize::from(visible), "{deletes}: {case}: {posts:?}");
        }
    }
}

#[test]
fn a_post_that_another_server_hid_comes_back_whole_by_the_own_servers_word() {
    let alpha = Event { text: "balloon".to_owned(), ..foreign("alpha.test") };
    let ours = Event { observed: 500, ..own() };
    let events = [alpha.clone(), delete(&alpha, 300), ours];
    let rows =
        shown(Deletes::Origin, &events, "select text, server, epoch(observed_at)::bigint - 1675382400 from posts");
    assert_eq!(rows, [["as ann wrote it", "one.test", "500"]]);
}

#[test]
fn the_first_sighting_is_one_that_no_delete_took_back() {
    let early = Event { observed: 110, ..foreign("alpha.test") };
    let ours = Event { observed: 150, ..own() };
    let late = Event { id: "78".to_owned(), observed: 400, ..foreign("beta.test") };
    let events = [early.clone(), ours, late, delete(&early, 300)];
    let rows = shown(Deletes::Origin, &events, "select server, epoch(observed_at)::bigint - 1675382400 from posts");
    assert_eq!(rows, [["one.test", "150"]]);
}

#[test]
fn sightings_say_who_deleted_and_whose_server_it_is() {
    let alpha = foreign("alpha.test");
    let events = [own(), alpha.clone(), delete(&alpha, 300), delete(&alpha, 290)];
    let sql = "select server, id, from_origin, epoch(deleted_at)::bigint - 1675382400 from sightings order by server";
    let rows = shown(Deletes::Origin, &events, sql);
    assert_eq!(rows, [["alpha.test", "77", "false", "290"], ["one.test", "1001", "true", ""]]);
}

#[test]
fn a_lake_that_was_built_with_another_setting_is_rebuilt() {
    let (alpha, folder) = (foreign("alpha.test"), tempfile::tempdir().unwrap());
    let mut bench = Bench::new();
    bench.take(&[own(), alpha.clone(), delete(&alpha, 300)]);
    let path = folder.path().join("lake.duckdb");
    let why = "it was made with consent.deletes = \"origin\", which is \"any\" now";
    for (deletes, rebuilt, posts) in
        [(Deletes::Origin, None, "1"), (Deletes::Any, Some(why), "0"), (Deletes::Any, None, "0")]
    {
        let options = fedilake_query::LakeOptions { deletes, ..crate::support::options() };
        let lake = fedilake_query::Lake::open(&path, options).unwrap();
        assert_eq!(lake.rebuilt(), rebuilt, "{deletes}");
        lake.take(&bench.chunks, &mut |_| ()).unwrap();
        assert_eq!(crate::support::ask(&lake, "select count(*) from posts").unwrap(), [[posts]]);
    }
}

#[test]
fn the_view_replies_names_the_parent_of_each_reply() {
    let parent = own();
    let n = |n: i64, author: &str, reply| Event { reply, ..Event::created("x", n, author, 200 + n).by_own_server() };
    let known = n(2, "bob@one.test", (Some("other"), Some("1001".to_owned()), Some("ANN@one.test".to_owned())));
    let by_id_alone = n(3, "cem@one.test", (Some("other"), Some("1001".to_owned()), None));
    let unknown = n(4, "bob@one.test", (Some("other"), Some("999".to_owned()), Some("dan@far.test".to_owned())));
    let thread = n(5, "bob@one.test", (Some("self"), Some("1002".to_owned()), None));
    let old = n(6, "bob@one.test", (Some("self"), None, None));
    // The id is another server's, so it names nothing here.
    let elsewhere = Event {
        server: "alpha.test".to_owned(),
        own: Some(false),
        ..n(7, "eve@two.test", (Some("other"), Some("1001".to_owned()), Some("ann@ONE.test".to_owned())))
    };
    let mut bench = Bench::new();
    bench.take(&[known, by_id_alone, unknown, thread, old, elsewhere]);
    bench.take(&[parent]);
    let sql = "select split_part(uri, '/', -1) as n, coalesce(split_part(parent_uri, '/', -1), '-'), author, parent_author, server, \
        in_reply_to from replies order by n";
    let rows = bench.ask(sql);
    assert_eq!(rows, bench.plain(sql));
    let rows: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        rows,
        [
            "2 1 bob@one.test ann@one.test one.test other",
            "3 1 cem@one.test ann@one.test one.test other",
            "4 - bob@one.test dan@far.test one.test other",
            "5 2 bob@one.test bob@one.test one.test self",
            "6 - bob@one.test bob@one.test one.test self",
            "7 - eve@two.test ann@one.test alpha.test other",
        ]
    );
}

#[test]
fn the_view_deletes_says_where_and_when_a_post_was_written_and_deleted() {
    let languages = |of: Event, language: &str| Event { language: Some(language.to_owned()), ..of };
    let (ann, copy) = (languages(own(), "de"), languages(Event { observed: 101, ..foreign("alpha.test") }, "en"));
    let edited = languages(edit(own(), 150, 160, "as ann wrote it again"), "fr");
    let never_shown = delete(&Event { id: "99".to_owned(), ..own() }, 170);
    let (by_copy, by_own) = (delete(&copy, 300), delete(&own(), 400));
    let events = [ann, copy, edited, never_shown, by_copy, by_own];
    let start = 1_675_382_400;
    let sql =
        "select server, epoch(created_at), epoch(observed_at), epoch(deleted_at), author_domain, language from deletes";
    let at = |seconds: i64| format!("{}.0", start + seconds);
    let row = ["alpha.test".to_owned(), at(100), at(101), at(400), "one.test".to_owned(), "fr".to_owned()];
    for deletes in EACH {
        assert_eq!(shown(deletes, &events, sql), std::slice::from_ref(&row), "{deletes}");
    }
    // Of a post whose own server said nothing, the first delete counts; where its own server shows it, it is not deleted.
    assert_eq!(shown(Deletes::Origin, &[events[1].clone(), events[4].clone()], sql)[0][3], at(300));
    assert!(shown(Deletes::Origin, &events[..5], sql).is_empty());
    assert!(shown(Deletes::All, &events[..5], sql).is_empty());
    assert_eq!(shown(Deletes::Any, &events[..5], sql)[0][3], at(300));
}

#[test]
fn of_a_deleted_post_nothing_that_names_it_is_kept() {
    for deletes in EACH {
        let mut bench = Bench::with(deletes);
        bench.take(&[own(), foreign("alpha.test"), delete(&own(), 400)]);
        bench.take(&[foreign("alpha.test")]);
        let kept = "select author, uri, uri_number, url, text, spoiler_text, tags, mentions, links, content_hash from internal.withheld";
        assert_eq!(bench.inside(kept), [vec![String::new(); 10]], "{deletes}");
    }
}
