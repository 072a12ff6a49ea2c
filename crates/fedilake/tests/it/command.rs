//! The command line as a contract.

use crate::program::{Data, fedilake, run};

const VERBS: [&str; 13] = [
    "demo",
    "run",
    "collect",
    "sink",
    "serve",
    "report",
    "sql",
    "check",
    "replay",
    "simulate",
    "settings",
    "views",
    "completions",
];

#[test]
fn every_verb_is_listed_and_helps_with_examples() {
    let all = run(["--help"]).done().stdout;
    for verb in VERBS {
        assert!(all.contains(&format!("\n  {verb}")), "{verb}: {all}");
        let help = run([verb, "--help"]).done().stdout;
        assert!(help.contains("Examples:") && help.contains(&format!("fedilake {verb}")), "{verb}: {help}");
        assert!(help.contains("--data"), "{verb}: {help}");
    }
}

#[test]
fn settings_tell_where_each_value_came_from() {
    let data = Data::new();
    let file = data.beside("fedilake.toml");
    std::fs::write(&file, "[collect]\nservers = ['a.example', 'b.example']\n").unwrap();
    let mut command = fedilake(["settings", "--config", file.to_str().unwrap(), "--data", "there"]);
    let output = command.env("FEDILAKE_SQL_SECONDS_MAX", "7").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| {
        text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {text}")).to_owned()
    };
    assert!(line("data").contains("\"there\"") && line("data").contains("# flag"), "{text}");
    assert!(
        line("collect.servers").contains("a.example,b.example") && line("collect.servers").contains("fedilake.toml"),
        "{text}"
    );
    assert!(
        line("sql.seconds_max").contains("\"7\"") && line("sql.seconds_max").contains("FEDILAKE_SQL_SECONDS_MAX"),
        "{text}"
    );
    assert!(line("log.url").contains("# default"), "{text}");
}

#[test]
fn a_misspelt_setting_and_a_store_that_is_not_there_yet_are_refused() {
    let data = Data::new();
    let file = data.beside("fedilake.toml");
    std::fs::write(&file, "[collect]\nserver = 'a.example'\n").unwrap();
    let said = run(["settings", "--config", file.to_str().unwrap()]);
    assert_eq!(said.code(), Some(2));
    assert!(said.stderr.contains("collect.server") && said.stderr.contains("hint:"), "{}", said.stderr);

    let mut command = fedilake(["serve", "--data", data.path().to_str().unwrap()]);
    let output = command.env("FEDILAKE_LOG_URL", "kafka://127.0.0.1:9092/posts").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("log.url") && stderr.contains("kafka") && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn what_is_typed_wrong_is_named_with_an_exit_code_of_two() {
    let data = Data::new();
    let folder = data.path();
    let folder = folder.to_str().unwrap();
    for arguments in [
        &["report", "dayly"][..],
        &["report", "--format", "xml"],
        &["report", "daily", "--bot", "--no-bot"],
        &["simulate"],
        &["replay"],
        &["run", "--for", "soon"],
        &["sink", "--accept-gap", "everything", "--data", folder],
    ] {
        let said = run(arguments.iter().copied());
        assert_eq!(said.code(), Some(2), "{arguments:?}: {said:#?}");
        assert!(said.stderr.starts_with("error:"), "{arguments:?}: {}", said.stderr);
    }
    assert!(!data.path().exists(), "a mistyped command made a folder");
}
