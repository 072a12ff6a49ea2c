//! Takes: their effect on the lake, and the chunks that they refuse.

use std::fs;

use fedilake_query::{Chunk, LakeError};

use crate::support::{Bench, Event};

fn post(n: i64) -> Event {
    Event::created("alpha.test", n, "ann@one.test", n)
}

fn uris(bench: &Bench) -> Vec<Vec<String>> {
    bench.ask("select uri from posts order by uri")
}

fn uri(n: i64) -> Vec<String> {
    vec![format!("https://one.test/users/ann/statuses/{n}")]
}

#[test]
fn a_delete_before_its_post_hides_it() {
    let mut bench = Bench::new();
    bench.take(&[Event::deleted("alpha.test", 1, 50)]);
    bench.take(&[post(1), post(2)]);
    assert_eq!(uris(&bench), [uri(2)]);
}

#[test]
fn a_deleted_post_does_not_come_back_by_a_copy_or_an_edit() {
    let mut bench = Bench::new();
    bench.take(&[post(1), post(2)]);
    bench.take(&[Event::deleted("alpha.test", 1, 50)]);
    assert_eq!(uris(&bench), [uri(2)]);
    let mut copy = post(1);
    copy.server = "beta.test".to_owned();
    copy.id = "77".to_owned();
    let edit = Event { kind: "edited", edited: Some(60), observed: 61, ..post(1) };
    bench.take(&[copy, edit]);
    assert_eq!(uris(&bench), [uri(2)]);
    assert_eq!(bench.ask("select count(*) from sightings"), [["1"]]);
}

#[test]
fn a_delete_by_any_server_that_showed_it_hides_the_post() {
    let mut bench = Bench::new();
    let copy = Event { server: "beta.test".to_owned(), id: "1077".to_owned(), ..post(1) };
    bench.take(&[post(1), copy]);
    bench.take(&[Event::deleted("beta.test", 77, 50)]);
    assert_eq!(uris(&bench), Vec::<Vec<String>>::new());
}

#[test]
fn an_edit_changes_the_text_and_keeps_the_first_sighting() {
    let mut bench = Bench::new();
    bench.take(&[post(1)]);
    let edit = Event { kind: "edited", edited: Some(60), observed: 61, text: "new".to_owned(), ..post(1) };
    let late = Event { kind: "edited", edited: Some(55), observed: 70, text: "older".to_owned(), ..post(1) };
    bench.take(&[edit]);
    bench.take(&[late]);
    let row = bench.ask("select text, epoch(observed_at)::bigint - 1675382400, log_offset from posts");
    assert_eq!(row, [["new", "3", "1"]]);
}

#[test]
fn a_sighting_that_comes_late_does_not_make_the_version_older() {
    let mut bench = Bench::new();
    let seen = |server: &str, observed: i64| Event {
        server: server.to_owned(),
        observed,
        favourites: observed as i32,
        ..post(1)
    };
    bench.take(&[seen("alpha.test", 30)]);
    bench.take(&[seen("beta.test", 10)]);
    bench.take(&[seen("gamma.test", 20)]);
    let row = bench.ask("select favourites, server, epoch(observed_at)::bigint - 1675382400 from posts");
    assert_eq!(row, [["30", "beta.test", "10"]]);
}

#[test]
fn a_post_that_does_not_say_when_it_was_made_counts_as_made_when_it_was_seen() {
    let mut bench = Bench::new();
    let timeless = Event { created: None, observed: 86_400, ..post(1) };
    let edit = Event { kind: "edited", created: None, edited: Some(60), observed: 90_000, ..post(1) };
    let row = "select epoch(created_at)::bigint - 1675382400, epoch(observed_at)::bigint - 1675382400 from posts";
    bench.take(&[timeless]);
    assert_eq!(bench.ask(row), [["86400", "86400"]]);
    bench.take(&[edit]);
    assert_eq!(bench.ask(row), [["90000", "86400"]]);
    assert_eq!(bench.plain(row), bench.ask(row));
    assert_eq!(bench.lake.rejected().unwrap(), []);
}

#[test]
fn rows_that_are_no_posts_are_counted() {
    let mut bench = Bench::new();
    let rejected = Event { kind: "rejected", ..post(1) };
    let nameless = Event { uri: None, ..post(2) };
    bench.take(&[rejected.clone(), rejected, nameless]);
    bench.lake.take(&bench.chunks.clone(), &mut |_| ()).unwrap();
    assert_eq!(bench.lake.rejected().unwrap(), [("cut short".to_owned(), 2), ("incomplete".to_owned(), 1)]);
    assert_eq!(uris(&bench), Vec::<Vec<String>>::new());
}

#[test]
fn chunks_may_overlap_and_come_in_any_order() {
    let mut bench = Bench::new();
    let low = bench.write("log-a", 0, &[post(0), post(1), post(2)]);
    let high = bench.write("log-a", 0, &[post(3), post(4)]);
    let both = Chunk { first: 1, ..low.clone() };
    bench.lake.take(&[high, both, low], &mut |_| ()).unwrap();
    assert_eq!(uris(&bench), (0..5).map(uri).collect::<Vec<_>>());
    assert_eq!(bench.lake.positions().unwrap()[0].next, 5);
}

#[test]
fn offsets_that_are_left_out_are_an_error_and_nothing_is_taken() {
    let mut bench = Bench::new();
    bench.take(&[post(0)]);
    bench.write("log-a", 0, &[post(1)]);
    let beyond = bench.write("log-a", 0, &[post(2)]);
    let error = bench.lake.take(&[beyond], &mut |_| ()).unwrap_err();
    assert!(matches!(error, LakeError::Gap { position: 1, first: 2, .. }), "{error}");
    assert_eq!(uris(&bench), [uri(0)]);
    assert_eq!(bench.lake.positions().unwrap()[0].next, 1);
}

#[test]
fn offsets_that_are_lost_are_passed_over_and_told_ever_after() {
    let mut bench = Bench::new();
    let mut files: Vec<Chunk> = (0..6).map(|n| bench.write("log-a", 0, &[post(n)])).collect();
    // Offsets 0 to 5, of which only 1, 2 and 5 are left.
    files[1].lost_from = Some(0);
    files[5].lost_from = Some(3);
    let known = |chunk: &Chunk| Chunk { lost_from: None, ..chunk.clone() };
    bench.lake.take(&[files[1].clone(), known(&files[2])], &mut |_| ()).unwrap();
    assert_eq!(bench.lake.positions().unwrap()[0].lacks, [(0, 1)]);
    let said_too_late = Chunk { lost_from: Some(4), ..files[5].clone() };
    assert!(matches!(bench.lake.take(&[said_too_late], &mut |_| ()), Err(LakeError::Gap { .. })));
    for _ in 0..2 {
        bench.lake.take(&[known(&files[2]), files[5].clone()], &mut |_| ()).unwrap();
        let position = &bench.lake.positions().unwrap()[0];
        assert_eq!((position.next, position.lacks.as_slice()), (6, &[(0, 1), (3, 5)][..]));
    }
    assert_eq!(uris(&bench), [uri(1), uri(2), uri(5)]);
    let bench = bench.reopen();
    assert_eq!(bench.lake.positions().unwrap()[0].lacks, [(0, 1), (3, 5)]);
}

#[test]
fn an_empty_chunk_moves_the_position_over_a_gap() {
    let mut bench = Bench::new();
    let chunk = bench.write("log-a", 0, &[]);
    bench.lake.take(&[Chunk { next: 7, ..chunk }], &mut |_| ()).unwrap();
    assert_eq!(bench.lake.positions().unwrap()[0].next, 7);
}

#[test]
fn a_chunk_without_offsets_says_what_is_lost_and_nothing_else() {
    let mut bench = Bench::new();
    let empty = |bench: &mut Bench, at: i64, lost_from: i64| {
        let chunk = bench.write("log-a", 0, &[]);
        Chunk { first: at, next: at, lost_from: Some(lost_from), ..chunk }
    };
    // At the beginning, twice in a row, and again.
    let chunks = [empty(&mut bench, 5, 0), empty(&mut bench, 9, 5), empty(&mut bench, 9, 5)];
    for _ in 0..2 {
        bench.lake.take(&chunks, &mut |_| ()).unwrap();
        let position = &bench.lake.positions().unwrap()[0];
        assert_eq!((position.next, position.lacks.as_slice()), (9, &[(0, 5), (5, 9)][..]));
    }
    assert_eq!(uris(&bench).len(), 0);
}

#[test]
fn a_damaged_file_is_named_and_nothing_is_taken() {
    let mut bench = Bench::new();
    bench.take(&[post(0)]);
    let whole = bench.write("log-a", 0, &[post(1)]);
    let damaged = bench.write("log-a", 0, &(2..300).map(post).collect::<Vec<_>>());
    let bytes = fs::read(&damaged.parquet).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 3..bytes.len() / 2].fill(0xff);
    for (case, content) in
        [("cut short", &bytes[..bytes.len() / 2]), ("pages overwritten", &flipped), ("empty", &[][..])]
    {
        fs::write(&damaged.parquet, content).unwrap();
        match bench.lake.take(&[whole.clone(), damaged.clone()], &mut |_| ()) {
            Err(LakeError::DamagedFile { path, .. }) => assert_eq!(path, damaged.parquet, "{case}"),
            other => panic!("{case}: {other:?}"),
        }
        assert_eq!(uris(&bench), [uri(0)], "{case}");
    }
    fs::write(&damaged.parquet, bytes).unwrap();
    bench.lake.take(&bench.chunks.clone(), &mut |_| ()).unwrap();
    assert_eq!(uris(&bench).len(), 300);
}

#[test]
fn columns_that_a_file_does_not_have_are_null() {
    let mut bench = Bench::new();
    bench.take(&[post(0)]);
    assert_eq!(bench.ask("select quote_uri, author_indexable, poll from posts"), [["", "", ""]]);
}

#[test]
fn files_of_other_writers_are_taken_or_named() {
    let post = "'created' as kind, 'alpha.test' as server, '7' as id, 'https://one.test/7' as uri, 'ann@one.test' as author, \
        'one.test' as author_domain, 0::bigint as log_offset, 0 as log_partition";
    let time = "timestamptz '2024-05-01 10:00:00+00'";
    let wanted = [
        ("the least", format!("{post}, {time} as observed_at"), Ok("1")),
        (
            "columns of another",
            format!("{post}, {time} as observed_at, 'x' as log, 1 as sort, 2 as own, 'f' as filename"),
            Ok("1"),
        ),
        (
            "other types",
            format!("{} , [1, null, 3] as tags, 7::smallint as words, 9.0 as media", with(post, time)),
            Ok("1"),
        ),
        ("an enum", format!("{}, 'a'::enum('a', 'b') as language", with(post, time)), Ok("1")),
        ("a time without zone", format!("{post}, timestamp '2024-05-01 10:00:00' as observed_at"), Ok("1")),
        ("a time beyond 9999", format!("{post}, timestamptz '12000-01-01 00:00:00+00' as observed_at"), Ok("0")),
        (
            "a claim beyond 9999",
            format!("{}, timestamptz '290000-01-01 00:00:00+00' as created_at", with(post, time)),
            Ok("1"),
        ),
        (
            "a claim before Christ",
            format!("{}, timestamptz '2000-01-01 (BC) 00:00:00+00' as created_at", with(post, time)),
            Ok("1"),
        ),
        ("no time at all", post.to_owned(), Ok("0")),
        ("no kind", "0::bigint as log_offset, 'x' as text".to_owned(), Ok("0")),
        ("a number for a time", format!("{post}, 5 as observed_at"), Err("Conversion Error")),
        ("a struct for a text", format!("{}, {{'a': 1}} as tags", with(post, time)), Err("")),
        ("a number too large", format!("{}, 5_000_000_000 as words", with(post, time)), Err("out of range")),
        ("no offsets", "'created' as kind".to_owned(), Ok("0")),
    ];
    for (case, columns, posts) in wanted {
        let bench = Bench::new();
        let parquet = bench.path().join("table/posts/log=log-a/partition=0/foreign.parquet");
        fs::create_dir_all(parquet.parent().unwrap()).unwrap();
        let engine = duckdb::Connection::open_in_memory().unwrap();
        engine
            .execute_batch(&format!(
                "set timezone = 'UTC'; copy (select {columns}) to '{}' (format parquet)",
                parquet.display()
            ))
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        let chunk = Chunk {
            log: "log-a".to_owned(),
            partition: 0,
            first: 0,
            next: 1,
            lost_from: None,
            parquet: parquet.clone(),
        };
        match (bench.lake.take(&[chunk], &mut |_| ()), posts) {
            (Ok(()), Ok(posts)) => {
                let sql = "select count(*), count(created_at) from posts where year(created_at) between 1 and 9999";
                assert_eq!(bench.ask(sql), [[posts, posts]], "{case}");
                assert_eq!(bench.plain(sql), bench.ask(sql), "{case}");
                for report in fedilake_query::answer::catalogue::reports() {
                    bench.lake.report(&fedilake_query::Question::of(&report.name)).unwrap();
                }
            }
            (Err(LakeError::DamagedFile { path, reason }), Err(why)) => {
                assert_eq!(path, parquet, "{case}");
                assert!(reason.contains(why), "{case}: {reason}");
            }
            (taken, _) => panic!("{case}: {taken:?}"),
        }
    }
}

fn with(post: &str, observed_at: &str) -> String {
    format!("{post}, {observed_at} as observed_at")
}

#[test]
fn readers_see_the_last_commit_while_a_take_runs() {
    let mut bench = Bench::new();
    bench.take(&[post(0)]);
    let chunk = bench.write("log-a", 0, &[post(1)]);
    let mut seen = Vec::new();
    let lake = &bench.lake;
    lake.take(&[chunk], &mut |_| seen = crate::support::ask(lake, "select count(*) from posts").unwrap()).unwrap();
    assert_eq!(seen, [["1"]]);
    assert_eq!(bench.ask("select count(*) from posts"), [["2"]]);
}

/// Copies of posts that were taken before: one of the same time, one that tells another day, and one of a post that was deleted.
#[test]
fn copies_are_known_whenever_they_come_and_whatever_time_they_tell() {
    const DAY: i64 = 86_400;
    let copy = |n: i64, later: i64| Event {
        server: "beta.test".to_owned(),
        id: (1_000 + n).to_string(),
        created: Some(n + later),
        ..post(n)
    };
    let copies = || [copy(1, 0), copy(2, 40 * DAY), copy(3, 0), copy(4, 0), copy(5, -3 * DAY), post(6)];
    let mut bench = Bench::new();
    bench.take(&[post(1), post(2), post(3), post(4), post(5)]);
    bench.take(&[Event::deleted("alpha.test", 3, 50)]);
    let expected = [uri(1), uri(2), uri(4), uri(5), uri(6)];
    let mut again = bench.reopen();
    again.take(&copies());
    assert_eq!(uris(&again), expected);
    assert_eq!(again.ask("select count(*) from sightings where server = 'beta.test'"), [["4"]]);
    again.take(&copies());
    // A hidden post that comes back is known as any other.
    let own = |n: i64| Event { server: "one.test".to_owned(), id: n.to_string(), ..post(n) };
    again.take(&[own(3), own(7)]);
    again.take(&[copy(7, 0), copy(3, 2 * DAY)]);
    let shown = uris(&again);
    let distinct: std::collections::BTreeSet<_> = shown.iter().collect();
    assert_eq!(distinct.len(), shown.len(), "{shown:?}");
}
