//! Names: one person in several spellings, languages in several, names without end, and which tables a person sees.

use fedilake_query::{Filter, Names, Question, SqlLimits};

use crate::support::{Bench, Event, ask, decode};

fn post(n: i64, author: &str) -> Event {
    Event::created("alpha.test", n, author, n)
}

#[test]
fn one_person_in_several_spellings_is_one_author_as_the_own_server_spells_it() {
    let own = post(9, "kRista@one.test").by_own_server();
    for (events, name) in [
        (vec![post(1, "krista@one.test"), post(2, "Krista@one.test"), post(3, "KRISTA@one.test")], "KRISTA@one.test"),
        (vec![own.clone(), post(1, "krista@one.test"), post(2, "KRISTA@one.test")], "kRista@one.test"),
        (vec![post(1, "KRISTA@one.test"), post(2, "krista@one.test"), own], "kRista@one.test"),
        (vec![post(1, "ÄNNE@one.test"), post(2, "änne@one.test")], "ÄNNE@one.test"),
        (vec![post(1, "krista@One.Test"), post(2, "krista@one.test")], "krista@One.Test"),
    ] {
        for size in [1, events.len()] {
            let mut bench = Bench::new();
            for events in events.chunks(size) {
                bench.take(events);
                bench.lake.seal().unwrap();
            }
            let names = "select distinct author from posts";
            assert_eq!(bench.ask(names), [[name]]);
            assert_eq!(bench.plain(names), [[name]]);
            let uris = "select uri from posts order by uri";
            assert_eq!(bench.ask(uris), bench.plain(uris));
            let users = decode(&bench.lake.report(&Question::of("statistics")).unwrap().ipc);
            assert_eq!(users[0][1], "1");
            let daily = decode(&bench.lake.report(&Question::of("daily")).unwrap().ipc);
            assert_eq!((daily[0][2].as_str(), daily[0][4].as_str()), ("1", name));
        }
    }
}

#[test]
fn a_better_spelling_changes_the_figures_of_sealed_days() {
    let mut bench = Bench::new();
    bench.take(&[post(1, "ann@one.test"), post(2, "bob@one.test"), post(3, "bob@one.test")]);
    bench.lake.seal().unwrap();
    bench.take(&[Event { observed: 9 * 86_400, created: Some(9 * 86_400), ..post(4, "Bob@one.test") }.by_own_server()]);
    let daily = decode(&bench.lake.report(&Question::of("daily")).unwrap().ipc);
    assert_eq!(daily[0][4], "Bob@one.test");
}

#[test]
fn languages_count_under_the_names_of_their_tags() {
    let mut bench = Bench::new();
    let tags =
        [Some("pt"), Some("pt_BR"), Some("por"), Some("EN"), Some("zhCn"), Some("und"), Some(""), None, Some("qqq")];
    let posts: Vec<_> =
        (0..).zip(tags).map(|(n, tag)| Event { language: tag.map(str::to_owned), ..post(n, "ann@one.test") }).collect();
    bench.take(&posts);
    let counted = |languages: &[&str]| {
        let only = Names { languages: languages.iter().map(|name| (*name).to_owned()).collect(), ..Names::default() };
        let filter = Filter { only, ..Filter::default() };
        decode(&bench.lake.report(&Question { filter, ..Question::of("statistics") }).unwrap().ipc)[0][0].clone()
    };
    for (typed, posts) in [
        (&["pt"][..], "3"),
        (&["por"], "3"),
        (&["PT"], "3"),
        (&["Portuguese"], "3"),
        (&["pt-br"], "1"),
        (&["pt_BR", "eng"], "2"),
        (&["unknown"], "3"),
        (&["und", "Chinese"], "4"),
        (&["qqq"], "1"),
        (&["xyz"], "0"),
    ] {
        assert_eq!(counted(typed), posts, "{typed:?}");
    }
    let report = decode(&bench.lake.report(&Question::of("languages")).unwrap().ipc);
    let report: Vec<_> = report.iter().map(|row| row.join(" ")).collect();
    assert_eq!(report, ["Portuguese 3", "unknown 3", "Chinese 1", "English 1", "qqq 1"]);
    let named = "select language, coalesce(language_name, '-') from mastodon_toot order by all";
    assert_eq!(bench.ask(named), bench.plain(named));
    assert!(bench.ask("select distinct language from posts").contains(&vec!["pt_BR".to_owned()]));
}

#[test]
fn names_without_end_neither_grow_the_lake_nor_differ_from_the_files() {
    let mut bench = Bench::new();
    let long = |n: i64, of: &str| format!("{n}-{}", of.repeat(20_000));
    let posts: Vec<_> = (0..20)
        .map(|n| Event {
            language: Some(long(n, "x")),
            app: Some(long(n, "ä")),
            server: long(n, "s"),
            ..post(n, &format!("{}@{}", long(n, "u"), long(n, "o")))
        })
        .collect();
    bench.take(&posts);
    bench.take(&[Event { kind: "deleted", uri: None, ..posts[3].clone() }]);
    let lengths = "select max(len(language)), max(len(app)), max(len(server)), max(len(author)), max(len(author_domain)), count(*) from posts";
    assert_eq!(bench.ask(lengths), [["500", "500", "500", "500", "500", "19"]]);
    assert_eq!(bench.ask("from posts order by uri"), bench.plain("from posts order by uri"));
    bench = bench.reopen();
    bench.take(&[post(90, "ann@one.test")]);
    assert_eq!(bench.ask("select count(*) from posts"), [["20"]]);
}

#[test]
fn a_person_sees_the_documented_views_and_no_other_table() {
    let mut bench = Bench::new();
    bench.take(&[post(1, "ann@one.test")]);
    let views = ["deletes", "gaps", "languages", "mastodon_toot", "posts", "replies", "sightings", "skips"]
        .map(|view| vec![view.to_owned()])
        .to_vec();
    for sql in [
        "select name from (show tables) order by 1",
        "select name from (show all tables) order by 1",
        "select table_name from information_schema.tables order by 1",
        "select distinct table_name from information_schema.columns order by 1",
        "select view_name from duckdb_views() where not internal order by 1",
        "select view_name from (select view_name from duckdb_views() where not internal union all select table_name from duckdb_tables()) order by 1",
        "select distinct table_name from duckdb_columns() where not internal order by 1",
        "select name from sqlite_master order by 1",
    ] {
        assert_eq!(bench.ask(sql), views, "{sql}");
    }
    for sql in ["select schema_name from information_schema.schemata", "select schema_name from duckdb_schemas()"] {
        assert!(!bench.ask(sql).contains(&vec!["internal".to_owned()]), "{sql}");
    }
}

#[test]
fn a_typo_is_answered_with_the_nearest_documented_name() {
    let mut bench = Bench::new();
    bench.take(&[post(1, "ann@one.test")]);
    for (sql, answer) in [
        ("from post", "did you mean `posts`?"),
        ("from POSTZ", "did you mean `posts`?"),
        ("from sighting", "did you mean `sightings`?"),
        ("from toot", "did you mean `mastodon_toot`?"),
        ("from reply", "did you mean `replies`?"),
        (
            "from author",
            "the tables are `posts`, `sightings`, `deletes`, `replies`, `languages`, `gaps`, `skips`, `mastodon_toot`",
        ),
        (
            "from topic_hit",
            "the tables are `posts`, `sightings`, `deletes`, `replies`, `languages`, `gaps`, `skips`, `mastodon_toot`",
        ),
        ("from main.post", "did you mean `posts`?"),
        ("from x.posts", "did you mean `posts`?"),
        ("select langage from posts", "did you mean `language`?"),
        ("select p.langage from posts p", "did you mean `language`?"),
        ("select posts.autor from posts", "did you mean `author`?"),
    ] {
        let error = ask(&bench.lake, sql).unwrap_err();
        assert!(error.to_string().contains(answer), "{sql}: {error}");
        assert!(!error.to_string().contains("internal"), "{sql}: {error}");
        assert_eq!(error.line, Some(1), "{sql}: {error}");
    }
    let unrelated = bench.lake.sql("select lowr('a')", &SqlLimits::default(), &mut Vec::new()).unwrap_err();
    assert!(unrelated.to_string().contains("lower"), "{unrelated}");
}
