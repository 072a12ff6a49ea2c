//! The printed views, in a separate DuckDB over the plain files, give the same figures as fedilake.

use duckdb::Connection;

use crate::program::{Data, run};

#[test]
fn the_printed_views_give_the_same_figures_over_the_plain_files() {
    let data = Data::new();
    let file = data.beside("talk.jsonl.zst");
    run(["simulate", "--preset", "talk", "--posts", "5000", "--seed", "3", "--out", file.to_str().unwrap()]).done();
    data.run(["replay", file.to_str().unwrap()]).done();

    let views = data.run(["views"]).done().stdout;
    let duckdb = Connection::open_in_memory().unwrap();
    duckdb.execute_batch(&views).unwrap();
    for question in [
        "select count(*)::bigint from posts",
        "select count(distinct author)::bigint from posts",
        "select count(distinct author_domain)::bigint from posts",
        "select sum(characters)::bigint from posts",
        "select count(*)::bigint from sightings",
        "select count(*)::bigint from mastodon_toot",
        "select count(distinct username)::bigint from mastodon_toot",
        "select count(distinct language_name)::bigint from mastodon_toot",
        "select count(*)::bigint from mastodon_toot where bot = 'True'",
        "select sum(hash(uri) % 1000000007)::bigint from posts",
    ] {
        let plain: i64 = duckdb.query_row(question, [], |row| row.get(0)).unwrap();
        assert_eq!(plain, data.number(question), "{question}");
        assert!(plain > 0, "{question}");
    }
}

#[test]
fn views_are_printed_whether_or_not_a_process_owns_the_folder() {
    let data = Data::new();
    let alone = data.run(["views"]).done().stdout;
    assert!(alone.contains("union_by_name"), "{alone}");
    let owner = data.serve();
    assert_eq!(data.run(["views"]).done().stdout, alone);
    owner.interrupt().done();
}

#[test]
fn views_find_the_files_of_a_folder_with_any_name_and_say_when_there_are_none() {
    let data = Data::new();
    let file = data.beside("talk.jsonl");
    run(["simulate", "--posts", "50", "--out", file.to_str().unwrap()]).done();
    for name in ["a [x] folder", "a*b", "log=other", "it's [[*]]", "\u{1b}[31mred\u{7}'", "a\u{202e}b\u{9b}c\r"] {
        let folder = data.beside(name);
        let folder = folder.to_str().unwrap();
        let said = run(["views", "--data", folder]).done();
        assert!(said.stderr.contains("there is no table file in") && said.stderr.contains("hint: "), "{said:#?}");
        run(["replay", file.to_str().unwrap(), "--data", folder]).done();
        let said = run(["views", "--data", folder]).done();
        assert_eq!(said.stderr, "", "{name}");
        assert!(
            !said.stdout.replace('\n', "").contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{name:?}: {said:#?}"
        );
        let duckdb = Connection::open_in_memory().unwrap();
        duckdb.execute_batch(&said.stdout).unwrap_or_else(|error| panic!("{name}: {error}"));
        let posts: i64 = duckdb.query_row("select count(*) from posts", [], |row| row.get(0)).unwrap();
        assert_eq!(posts, 50, "{name}");
        let log: String = duckdb.query_row("select min(log) from internal.table_rows", [], |row| row.get(0)).unwrap();
        let chain = format!("log={log}");
        assert!(std::path::Path::new(folder).join("table/posts").join(&chain).is_dir(), "{name}: {chain}");
    }
}

#[test]
fn views_of_a_folder_without_a_table_say_what_is_true_of_it() {
    let data = Data::new();
    let views = |folder: &std::path::Path| run(["views", "--data", folder.to_str().unwrap()]);
    // `report` and `sql` need a data folder.
    for folder in [data.beside("missing"), data.beside("empty")] {
        if folder.ends_with("empty") {
            std::fs::create_dir(&folder).unwrap();
        }
        let said = views(&folder).done();
        assert!(said.stderr.contains("is no data folder either") && !said.stderr.contains("need none"), "{said:#?}");
    }
    for (name, part) in [("a", "table"), ("b", "table/posts")] {
        for is_link in [false, true] {
            let path = data.beside(name).join(part);
            let _ = std::fs::remove_dir_all(data.beside(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match is_link {
                false => std::fs::write(&path, "").unwrap(),
                true => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
            }
            let direct =
                ["sql", "--direct", "from posts", "--data", data.beside(name).to_str().unwrap()].map(str::to_owned);
            for said in [views(&data.beside(name)), run(direct)] {
                let what = if is_link { "is a link to nothing" } else { "is a file" };
                assert!(said.code() == Some(2) && said.stdout.is_empty(), "{part}: {said:#?}");
                assert!(said.stderr.contains(what) && said.stderr.contains("hint: "), "{part}: {said:#?}");
            }
        }
    }
}

#[test]
fn settings_name_a_file_of_any_name_in_characters_that_a_terminal_shows() {
    let data = Data::new();
    let file = data.beside("\u{1b}[31mred\u{7}\u{202e}.toml");
    std::fs::write(&file, "sql.seconds_max = 7\n").unwrap();
    let said = data.run(["settings", "--config", file.to_str().unwrap()]).done();
    let line = said.stdout.lines().find(|line| line.starts_with("sql.seconds_max")).unwrap();
    assert!(line.contains("\\u001b[31mred\\u0007\\u202e.toml"), "{line:?}");
    assert!(!said.stdout.replace('\n', "").contains(|c: char| c.is_control() || c == '\u{202e}'), "{said:#?}");
}
