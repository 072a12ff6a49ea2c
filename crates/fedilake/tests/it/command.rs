//! The command line, as other programs rely on it.

use std::process::Command;

use crate::program::{Data, Running, fedilake, run, wait_until};

const VERBS: [&str; 15] = [
    "demo",
    "run",
    "collect",
    "servers",
    "sink",
    "serve",
    "report",
    "sql",
    "check",
    "replay",
    "import",
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
        let (own, common) = help.split_once("\nCommon options:\n").unwrap_or_else(|| panic!("{verb}: {help}"));
        for flag in ["--data", "--config", "--quiet", "--verbose"] {
            assert!(common.contains(flag) && !own.contains(&format!("  {flag}")), "{verb} {flag}: {help}");
        }
    }
}

#[test]
fn a_check_takes_the_formats_that_its_help_names_and_no_others() {
    let help = run(["check", "--help"]).done().stdout;
    for format in ["table", "json", "csv", "ndjson", "jsonl", "parquet"] {
        let is_taken = ["table", "json"].contains(&format);
        assert_eq!(help.contains(&format!("- {format}:")), is_taken, "{format}: {help}");
        let said = run(["check", "--format", format, "--data", "/nonexistent"]);
        assert_eq!(said.stderr.contains("invalid value"), !is_taken, "{format}: {said:#?}");
        assert_eq!(said.code(), Some(2), "{format}: {said:#?}");
    }
}

#[test]
fn help_is_wrapped_once_and_its_examples_can_be_copied_at_every_width() {
    for columns in ["60", "80", "100", "300"] {
        let width = columns.parse::<usize>().unwrap().min(100);
        for verb in VERBS {
            let help = fedilake([verb, "--help"]).env("COLUMNS", columns).output().unwrap();
            let help = String::from_utf8(help.stdout).unwrap();
            let lines: Vec<&str> = help.lines().collect();
            let (mut joined, mut before): (Vec<String>, &str) = (Vec::new(), "");
            for line in &lines {
                // A paragraph's line ends where the next word has no room.
                if [before, line].iter().all(|line| line.starts_with(|c: char| !c.is_whitespace())) {
                    let word = line.split(' ').next().unwrap();
                    let has_room = before.len() + 1 + word.len() <= width;
                    assert!(!has_room || before.ends_with([':', '.']), "{verb} at {columns}: {before:?} {line:?}");
                }
                before = line;
                match joined.last_mut() {
                    Some(whole) if str::ends_with(whole, " \\") => {
                        whole.truncate(whole.len() - 1);
                        whole.push_str(line.trim_start());
                    }
                    _ => joined.push((*line).to_owned()),
                }
            }
            let begin = joined.iter().position(|line| line == "Examples:").unwrap();
            let examples = joined[begin + 1..].iter().take_while(|line| line.starts_with("  "));
            for example in examples.filter(|line| !line.starts_with("  # ")) {
                let parsed = Command::new("sh").args(["-n", "-c", example]).output().unwrap();
                assert!(parsed.status.success() && example.contains("fedilake"), "{verb} at {columns}: {example}");
            }
        }
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
    assert!(stderr.contains("log.registry_url") && stderr.contains("hint:"), "{stderr}");

    for (name, value) in [("LOG_URL", "s3://bucket/log"), ("LOG_URL", "kafka:posts"), ("TABLE_URL", "ftp://bucket")] {
        let mut command = fedilake(["serve", "--data", data.path().to_str().unwrap()]);
        command.env("FEDILAKE_LOG_REGISTRY_URL", "http://127.0.0.1:9");
        let output = command.env(format!("FEDILAKE_{name}"), value).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(value) && stderr.contains("hint:"), "{stderr}");
    }
}

#[test]
fn a_wrong_value_is_refused_by_name_before_anything_is_done() {
    for (name, value, part) in [
        ("FEDILAKE_LISTEN", "5", "setting listen = \"5\" (from FEDILAKE_LISTEN)"),
        ("FEDILAKE_SQL_SECONDS_MAX", "abc", "setting sql.seconds_max = \"abc\""),
        ("FEDILAKE_COLLECT_BATCH_POSTS_MAX", "0", "setting collect.batch_posts_max = \"0\""),
        ("FEDILAKE_SQL_SECONDS_MAKS", "5", "did you mean FEDILAKE_SQL_SECONDS_MAX?"),
        ("FEDILAKE_LOG", "fedilake=loud=much", "FEDILAKE_LOG = \"fedilake=loud=much\""),
    ] {
        for verb in ["settings", "report"] {
            let output = fedilake([verb]).env(name, value).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.starts_with("error: ") && stderr.contains(part), "{name}: {stderr}");
        }
    }
    for name in ["FEDILAKE_CHAOS_ROUNDS", "FEDILAKE_REQUIRE_SERVICES", "FEDILAKE_BLESS"] {
        assert!(fedilake(["settings"]).env(name, "1").env("FEDILAKE_LOG", "warn").output().unwrap().status.success());
    }
}

#[test]
fn a_data_folder_that_is_a_file_is_called_one() {
    let data = Data::new();
    let file = data.beside("file");
    std::fs::write(&file, "").unwrap();
    for verb in ["report", "serve", "demo"] {
        let said = run([verb, "--data", file.to_str().unwrap()]);
        assert_eq!(said.code(), Some(2), "{verb}");
        assert!(said.stderr.contains("it is a file, not a folder\nhint: "), "{verb}: {}", said.stderr);
    }
}

#[test]
fn a_hint_comes_last_and_the_cause_before_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = Data::new();
    let said = data.run(["serve", "--listen", &address]);
    assert_eq!(said.code(), Some(2));
    let lines: Vec<&str> = said.stderr.lines().filter(|line| !line.contains("INFO")).collect();
    assert_eq!(lines.len(), 2, "{}", said.stderr);
    assert!(lines[0].starts_with(&format!("error: listen on {address}: Address already in use")), "{}", said.stderr);
    assert_eq!(lines[1], "hint: --listen 127.0.0.1:0 picks a free port");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_named() {
    for arguments in [
        &["settings"][..],
        &["simulate", "--posts", "10", "--out", "-"],
        &["completions", "bash"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = fedilake(arguments.iter().copied()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("write to standard output: No space left on device"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn simulated_frames_go_to_standard_output_or_into_a_file_that_is_whole() {
    let data = Data::new();
    let file = data.beside("talk.jsonl");
    let frames = ["simulate", "--posts", "50", "--seed", "3", "--out"];
    run(frames.into_iter().chain([file.to_str().unwrap()])).done();
    let printed = run(frames.into_iter().chain(["-"])).done();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed.stdout);
    assert!(printed.stderr.starts_with("50 posts, all invented, as "), "{}", printed.stderr);

    // All of the ten days take seconds, and nothing stands under the file's name before they are written.
    let old = std::fs::read(&file).unwrap();
    let running = Running::start(&mut fedilake(["simulate", "--out", file.to_str().unwrap()]));
    let partial = || std::fs::read_dir(file.parent().unwrap()).unwrap().count() > 1;
    wait_until("the first frames", partial);
    let said = running.interrupt();
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains("interrupted"), "{}", said.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), old);
    assert!(!partial(), "what was written is left behind");
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
        &["report", "topics", "--topic", ""],
        &["report", "topics", "--topic", " "],
        &["simulate"],
        &["simulate", "--serve", "127.0.0.1:0", "--servers", "0"],
        &["simulate", "--serve", "127.0.0.1:0", "--rate", "0"],
        &["simulate", "--serve", "127.0.0.1:0", "--rate", "-5"],
        &["simulate", "--serve", "127.0.0.1:0", "--rate", "NaN"],
        &["simulate", "--serve", "127.0.0.1:0", "--apart", "2"],
        &["simulate", "--serve", "127.0.0.1:0", "--script-length", "1m"],
        &["simulate", "--out", "-", "--posts", "0"],
        &["simulate", "--out", "-", "--posts", "1622150"],
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

#[test]
fn no_secret_in_a_url_is_printed_whichever_flag_or_setting_it_is_in() {
    let data = Data::new();
    let table = [("FEDILAKE_TABLE_URL", "s3://id:hunter2@bucket/x")];
    let log = [("FEDILAKE_LOG_URL", "kafka://b:9092/t?password=hunter2")];
    let registry = [("FEDILAKE_LOG_URL", "kafka://b:9/t"), ("FEDILAKE_LOG_REGISTRY_URL", "http://a:hunter2@/")];
    let servers = [("FEDILAKE_COLLECT_SERVERS", "hunter2@a.example")];
    type Setting<'a> = (&'a str, &'a str);
    let cases: &[(&[&str], &[Setting<'_>])] = &[
        (&["run", "--server", "a.example", "--contact", "a@b.example", "--listen", "127.0.0.1:0"], &table),
        (&["sink"], &table),
        (&["serve"], &table),
        (&["report"], &table),
        (&["check"], &table),
        (&["sql", "select 1"], &table),
        (&["sql", "--direct", "select 1"], &table),
        (&["views", "--s3"], &table),
        (&["serve"], &log),
        (&["report"], &log),
        (&["serve"], &registry),
        (&["report"], &servers),
        (&["import", "s3://id:hunter2@bucket/x"], &[]),
        (&["import", "gs://id:hunter2@bucket/x"], &[]),
        (&["import", "/none?token=hunter2"], &[]),
        (&["collect", "--server", "https://a:hunter2@b"], &[]),
        (&["collect", "--server", "a:hunter2@b"], &[]),
        (&["collect", "--server", "hunter2@b"], &[]),
        (&["collect", "--server", "ftp://hunter2@b"], &[]),
        (&["run", "--server", "a.example", "--token-file", "https://t:hunter2@x=f"], &[]),
        (&["run", "--server", "a.example", "--token-file", "t:hunter2@x"], &[]),
        (&["report", "--origin", "https://a:hunter2@b"], &[]),
        (&["run", "--listen", "http://a:hunter2@b"], &[]),
        (&["run", "--bogus=http://a:hunter2@b"], &[]),
        (&["report", "https://b/?access_token=hunter2"], &[]),
        (&["replay", "https://a:hunter2@b/posts"], &[]),
        (&["sql", "https://a:hunter2@b/question.sql"], &[]),
        (&["settings", "--config", "https://a:hunter2@b"], &[]),
    ];
    for (arguments, environment) in cases {
        for format in ["text", "json"] {
            let mut command = fedilake(arguments.iter().copied());
            command.args(["--log-format", format]).arg("--data").arg(data.path()).envs(environment.iter().copied());
            let output = command.output().unwrap();
            let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(matches!(output.status.code(), Some(0 | 2)), "{arguments:?} {environment:?}: {error}");
            assert!(!out.contains("hunter2") && !error.contains("hunter2"), "{arguments:?} {environment:?}: {error}");
        }
    }
}

#[test]
fn every_line_is_an_object_where_json_is_asked_for_from_the_first_error_on() {
    let objects = |stderr: &str| {
        let lines: Vec<serde_json::Value> =
            stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{stderr}"))).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| line["message"].is_string()), "{stderr}");
        lines
    };
    let typed: &[&[&str]] = &[
        &[],
        &["run", "--bogus"],
        &["run", "--listen", "x"],
        &["run", "--for", "1parsec"],
        &["replay"],
        &["servers", "add"],
        &["report", "dayly"],
        &["report", "--config", "/none/there"],
        &["check", "--data", "/none/there"],
    ];
    for arguments in typed {
        let as_flag = run(arguments.iter().copied().chain(["--log-format", "json"]));
        let set = fedilake(arguments.iter().copied()).env("FEDILAKE_LOG_FORMAT", "json").output().unwrap();
        for said in [as_flag, set.into()] {
            assert_eq!((said.code(), said.stdout.as_str()), (Some(2), ""), "{arguments:?}: {said:#?}");
            assert_eq!(objects(&said.stderr).last().unwrap()["level"], "ERROR", "{arguments:?}");
        }
    }
    let filtered = fedilake(["settings", "--log-format", "json"]).env("FEDILAKE_LOG", "a=b=c").output().unwrap();
    objects(&String::from_utf8(filtered.stderr).unwrap());
    // Help is asked for, and is no message.
    assert!(run(["--help", "--log-format", "json"]).done().stdout.contains("Usage:"));
}

#[test]
fn a_demo_keeps_to_folders_of_its_own() {
    let data = Data::new();
    let file = data.beside("posts.jsonl");
    std::fs::write(&file, crate::replay::status(1, "a real post").to_string() + "\n").unwrap();
    let replay = ["replay", file.to_str().unwrap()];
    let demo = ["demo", "--listen", "127.0.0.1:0", "--exit-after", "0s"];
    let real = |data: &Data| {
        let said = data.run(demo);
        let refused = said.stderr.contains("something else than a demo") && said.stderr.contains("\nhint: ");
        assert!(said.code() == Some(2) && refused && !said.stderr.contains("rm -r"), "{said:#?}");
        assert_eq!(data.number("select count(*) from posts where text = 'a real post'"), 1);
    };
    data.run(replay).done();
    real(&data);

    // Any other folder is none of its own, too, and is left as it was.
    let other = Data::new();
    std::fs::create_dir(other.path()).unwrap();
    std::fs::write(other.path().join("letter.txt"), "").unwrap();
    assert_eq!(other.run(demo).code(), Some(2));
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);

    let own = Data::new();
    std::fs::create_dir(own.path()).unwrap();
    // Twice, and after a reader. Stores elsewhere get no invented post; with a letter beside them nobody is told to remove all.
    for has_letter in [false, true] {
        if has_letter {
            std::fs::write(own.path().join("letter.txt"), "").unwrap();
        }
        let mut command = fedilake(demo);
        command.arg("--data").arg(own.path()).env("FEDILAKE_LOG_URL", format!("file:{}/log", other.path().display()));
        let said: crate::program::Said = command.output().unwrap().into();
        let advice = format!("`rm -r -- {}`", own.path().display());
        assert!(said.code() == Some(0) && said.stderr.contains("the posts stay in"), "{said:#?}");
        assert_eq!(said.stderr.contains(&advice), !has_letter, "{said:#?}");
        assert!(own.number("select count(*) from posts") > 1_000);
    }
    assert!(!other.path().join("log").exists());
    // With real posts in it the folder is no demo's any more.
    own.run(replay).done();
    real(&own);
}

#[test]
fn a_reader_makes_no_folder_for_a_table_that_it_cannot_read() {
    for url in ["s3://bucket/x", "s3://id:secret@bucket", "s3://bucket//x", "s3://"] {
        for arguments in [&["report"][..], &["check"], &["sql", "select 1"], &["serve", "--listen", "127.0.0.1:0"]] {
            let data = Data::new();
            let mut command = fedilake(arguments.iter().copied());
            command.arg("--data").arg(data.path()).env("FEDILAKE_TABLE_URL", url);
            command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_ACCESS_KEY_ID", "a");
            let output = command.env("AWS_SECRET_ACCESS_KEY", "b").env_remove("AWS_PROFILE").output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(2) && stderr.contains("hint: "), "{arguments:?} {url}: {stderr}");
            assert!(!data.path().exists(), "{arguments:?} {url}: {stderr}");
        }
    }
}

#[test]
fn a_command_in_a_hint_names_the_folder_as_a_shell_reads_it() {
    for name in ["my data", "it's", "-x", "$HOME"] {
        let data = Data::new();
        let at = data.beside("");
        let typed = format!("--data={name}");
        let mut command = fedilake(["run", "--server", "127.0.0.1:9", "--listen", "127.0.0.1:0", typed.as_str()]);
        let mut running = Running::start(command.current_dir(&at));
        let hint = running.wait_for_line("`fedilake report");
        let command = hint.split('`').nth(1).unwrap();
        let mut shell = Command::new("sh");
        let read = shell.args(["-c", &format!("fedilake() {{ printf '%s\\n' \"$@\"; }}; {command}")]);
        let words = String::from_utf8(read.output().unwrap().stdout).unwrap();
        let words: Vec<&str> = words.lines().collect();
        let is_read = words == ["report", "--data", name] || words == ["report", &typed];
        assert!(is_read, "{hint}: {words:?}");
        running.interrupt().done();
    }
}

#[test]
fn a_secret_that_every_user_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    let data = Data::new();
    let file = data.beside("token");
    std::fs::write(&file, "").unwrap();
    let token = format!("a.example={}", file.display());
    for (mode, warned) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        // The file does not contain a token, so nothing is collected.
        let said = data.run(["run", "--server", "a.example", "--token-file", &token]);
        assert!(said.code() == Some(2) && said.stderr.contains("does not contain a token"), "{said:#?}");
        assert_eq!(said.stderr.contains(&format!("chmod 600 {}", file.display())), warned, "{mode:o}: {}", said.stderr);
    }
}
