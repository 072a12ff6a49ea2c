//! Questions to the Parquet files themselves, from the program and from any DuckDB.

use std::path::PathBuf;
use std::process::Command;

use fedilake_services::Services;

use crate::program::{Data, Said, fedilake, run};

const QUESTIONS: [&str; 7] = [
    "select count(*)::bigint from posts",
    "select count(distinct author)::bigint from posts",
    "select sum(characters)::bigint from posts",
    "select count(*)::bigint from sightings",
    "select count(distinct language_name)::bigint from mastodon_toot",
    "select count(*)::bigint from mastodon_toot where bot",
    "select sum(hash(uri) % 1000000007)::bigint from posts",
];

fn number(said: Said) -> i64 {
    let rows = said.done().json();
    rows[0].as_object().and_then(|row| row.values().next()).and_then(serde_json::Value::as_i64).unwrap()
}

fn simulate(data: &Data, posts: &str) -> PathBuf {
    let file = data.beside("talk.jsonl");
    run(["simulate", "--posts", posts, "--seed", "5", "--out", file.to_str().unwrap()]).done();
    file
}

#[test]
fn files_are_asked_directly_beside_the_owner_of_their_folder() {
    let data = Data::new();
    let file = simulate(&data, "3000");
    data.run(["replay", file.to_str().unwrap()]).done();
    let owner = data.serve();
    let direct = |question: &str| data.run(["sql", "--direct", question, "--format", "json"]);
    for question in QUESTIONS {
        assert_eq!(number(direct(question)), data.number(question), "{question}");
    }
    let files = format!("{}/table/**/*.parquet", data.path().display());
    let plain =
        format!("select count(*)::bigint from read_parquet('{files}', union_by_name=true) where kind = 'created'");
    assert!(number(direct(&plain)) > 0);
    owner.interrupt().done();
}

#[test]
fn a_direct_question_only_reads_within_its_limits() {
    let data = Data::new();
    let file = simulate(&data, "50");
    data.run(["replay", file.to_str().unwrap()]).done();
    let target = data.beside("out.csv");
    let copy = format!("copy (select 1) to '{}'", target.display());
    for statement in [copy.as_str(), "select 1; select 2", "create table t (a int)", "set threads = 1", "load httpfs"] {
        let said = data.run(["sql", "--direct", statement]);
        assert_eq!((said.code(), said.stdout.as_str()), (Some(2), ""), "{said:#?}");
    }
    assert!(!target.exists());
    let slow = "select count(*) from range(1000000000) a, range(1000000000) b";
    let mut command = fedilake(["sql", "--direct", slow]);
    let said: Said =
        command.env("FEDILAKE_SQL_SECONDS_MAX", "1").arg("--data").arg(data.path()).output().unwrap().into();
    assert!(said.code() == Some(2) && said.stderr.contains("hint: "), "{said:#?}");
}

#[test]
fn a_direct_question_before_the_first_file_is_answered_with_a_hint() {
    let data = Data::new();
    let said = data.run(["sql", "--direct", "select count(*) from posts"]);
    assert!(said.code() == Some(2) && said.stderr.contains("there is no table file yet"), "{said:#?}");
    assert_eq!(number(data.run(["sql", "--direct", "select 7::bigint", "--format", "json"])), 7);
}

#[test]
fn words_that_name_no_view_ask_no_table_and_no_store() {
    let data = Data::new();
    let file = simulate(&data, "50");
    data.run(["replay", file.to_str().unwrap()]).done();
    let parquet = data.beside("my_posts_2023.parquet");
    std::fs::copy(walk(&data.path().join("table/posts")).remove(0), &parquet).unwrap();
    let count = format!("select count(*) > 0 from '{}'", parquet.display());
    for question in [
        count.as_str(),
        "select 'posts' = 'posts'",
        "select true -- posts, s3://bucket/posts/x.parquet",
        "select 's3://bucket/posts/x.parquet' > ''",
        "with posts as (select true as yes) from posts",
    ] {
        let mut command = fedilake(["sql", "--direct", question, "--format", "csv", "--data"]);
        command.arg(data.beside("nosuch")).env_remove("AWS_ACCESS_KEY_ID");
        let said: Said = command.output().unwrap().into();
        assert!(said.code() == Some(0) && said.stdout.ends_with("\ntrue\n"), "{question}: {said:#?}");
        assert_eq!(said.stderr, "", "{question}");
    }
    for name in ["utf16.sql", "utf8.sql"] {
        let question = data.beside(name);
        let text = "\u{feff}select 'é' = 'é'";
        match name {
            "utf16.sql" => {
                std::fs::write(&question, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
            }
            _ => std::fs::write(&question, text),
        }
        .unwrap();
        let said = data.run(["sql", "--direct", question.to_str().unwrap(), "--format", "csv"]).done();
        assert!(said.stdout.ends_with("\ntrue\n"), "{said:#?}");
    }
}

/// The files below a folder.
fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

#[test]
fn a_missing_httpfs_is_named_with_a_hint() {
    let data = Data::new();
    let junk = data.beside("httpfs.duckdb_extension");
    std::fs::write(&junk, "no extension").unwrap();
    let mut command = fedilake(["sql", "--direct", "select count(*) from posts"]);
    command.envs([
        ("FEDILAKE_TABLE_URL", "s3://bucket/prefix"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ]);
    let said: Said = command.env("FEDILAKE_SQL_HTTPFS", &junk).output().unwrap().into();
    assert!(said.code() == Some(2) && said.stderr.contains("httpfs"), "{said:#?}");
    assert!(said.stderr.contains("hint: `pip install duckdb-extension-httpfs==1.5.5`"), "{said:#?}");
}

#[test]
fn views_for_s3_are_printed_without_secrets_unless_asked_for() {
    let views = |flags: &[&str], url: &str| -> Said {
        let mut command = fedilake(["views"]);
        command.args(flags).envs([
            ("FEDILAKE_TABLE_URL", url),
            ("AWS_ACCESS_KEY_ID", "the-key"),
            ("AWS_SECRET_ACCESS_KEY", "the-secret"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ]);
        command.output().unwrap().into()
    };
    let plain = views(&[], "s3://bucket/prefix").done().stdout;
    assert!(plain.contains("'s3://bucket/prefix/posts/**/*.parquet'") && !plain.contains("secret"), "{plain}");
    let with = views(&["--s3"], "s3://bucket/prefix").done().stdout;
    assert!(with.contains("load httpfs") && with.contains("endpoint '127.0.0.1:9'"), "{with}");
    assert!(!with.contains("the-key") && !with.contains("the-secret"), "{with}");
    let shown = views(&["--s3", "--show-secrets"], "s3://bucket/prefix").done().stdout;
    assert!(shown.contains("key_id 'the-key'") && shown.contains("secret 'the-secret'"), "{shown}");
    let local = views(&["--s3"], "file:table");
    assert!(local.code() == Some(2) && local.stderr.contains("hint: "), "{local:#?}");
}

/// A Python with DuckDB and its httpfs, and the extension's file.
fn python(test: &str) -> Option<(PathBuf, String)> {
    let python = fedilake_services::python(test)?;
    let httpfs = fedilake_services::httpfs(&python).display().to_string();
    Some((python, httpfs))
}

/// Runs the statements from stdin in a DuckDB that loads httpfs from a file, then asks.
const PYTHON: &str = "
import duckdb, json, sys
folder, httpfs, questions = sys.argv[1], sys.argv[2], sys.argv[3:]
db = duckdb.connect(config={'extension_directory': folder})
db.execute(f\"install '{httpfs}'\")
db.execute(sys.stdin.read())
print(json.dumps([db.execute(question).fetchone()[0] for question in questions]))
";

#[test]
fn a_table_on_s3_gives_the_same_figures_to_the_lake_directly_and_in_python() {
    let test = "a_table_on_s3_gives_the_same_figures_to_the_lake_directly_and_in_python";
    let Some(services) = Services::shared(test) else { return };
    let Some((python, httpfs)) = python(test) else { return };
    let data = Data::new();
    let file = simulate(&data, "3000");
    let bucket = &services.s3.bucket;
    let url =
        format!("s3://{bucket}/test-direct/{}", data.path().parent().unwrap().file_name().unwrap().to_str().unwrap());
    let on_s3 = |arguments: &[&str]| -> Said {
        let mut command = fedilake(arguments);
        command.arg("--data").arg(data.path()).envs(services.aws_environment());
        command.envs([("FEDILAKE_TABLE_URL", url.as_str()), ("FEDILAKE_SQL_HTTPFS", httpfs.as_str())]);
        command.output().unwrap().into()
    };
    on_s3(&["replay", file.to_str().unwrap()]).done();

    let views = on_s3(&["views", "--s3"]).done().stdout;
    assert!(!views.contains(&services.s3.secret), "{views}");
    let statements = data.beside("views.sql");
    std::fs::write(&statements, views).unwrap();
    let mut command = Command::new(&python);
    command.args(["-c", PYTHON]).arg(data.beside("extensions")).arg(&httpfs).args(QUESTIONS);
    command.envs(services.aws_environment()).stdin(std::fs::File::open(&statements).unwrap());
    let in_python: Said = command.output().unwrap().into();
    let in_python: Vec<i64> = serde_json::from_str(&in_python.done().stdout).unwrap();
    for (question, in_python) in QUESTIONS.into_iter().zip(in_python) {
        let directly = number(on_s3(&["sql", "--direct", question, "--format", "json"]));
        let of_the_lake = number(on_s3(&["sql", question, "--format", "json"]));
        assert_eq!((directly, in_python), (of_the_lake, of_the_lake), "{question}");
    }

    let word_for_word = format!("select count(*)::bigint from read_parquet('{url}/**/*.parquet', union_by_name=true)");
    assert!(number(on_s3(&["sql", "--direct", &word_for_word, "--format", "json"])) >= 3000);
    // The same with a table that is not on S3.
    let mut command = fedilake(["sql", "--direct", &word_for_word, "--format", "json"]);
    command
        .arg("--data")
        .arg(data.beside("other"))
        .envs(services.aws_environment())
        .env("FEDILAKE_SQL_HTTPFS", &httpfs);
    assert!(number(Said::from(command.output().unwrap())) >= 3000);

    let mut command = fedilake(["sql", "--direct", QUESTIONS[0]]);
    command.envs(services.aws_environment()).env("AWS_SECRET_ACCESS_KEY", "wrong");
    command.envs([("FEDILAKE_TABLE_URL", url.as_str()), ("FEDILAKE_SQL_HTTPFS", httpfs.as_str())]);
    let said = Said::from(command.output().unwrap());
    assert!(said.code() == Some(2) && said.stderr.contains("hint: the secret does not belong to the key"), "{said:#?}");
}

#[test]
fn a_question_names_the_views_and_nothing_below_them_wherever_it_is_asked() {
    let data = Data::new();
    let file = simulate(&data, "50");
    data.run(["replay", file.to_str().unwrap()]).done();
    let refused = |arguments: &[&str]| {
        let said = data.run(["sql"].iter().chain(arguments));
        assert!(said.code() == Some(2) && said.stdout.is_empty(), "{said:#?}");
        assert!(said.stderr.contains("hint: SQL reads the views `posts`"), "{said:#?}");
    };
    refused(&["select text from internal.post"]);
    refused(&["--direct", "select text from internal.shown"]);
    let owner = data.serve();
    refused(&["select text from lake.internal.post"]);
    owner.interrupt().done();
}

#[test]
fn a_path_of_no_file_is_told_as_one() {
    let data = Data::new();
    for path in ["./nofile.txt", "nofile.sql", "questions/none", "/nonexistent/q"] {
        for way in [&[][..], &["--direct"]] {
            let said = data.run(["sql", path].iter().chain(way));
            let told = format!("read the question from {path}: there is no such file\nhint: ");
            assert!(said.code() == Some(2) && said.stderr.contains(&told), "{said:#?}");
        }
    }
}
