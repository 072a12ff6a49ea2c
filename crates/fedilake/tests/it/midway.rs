//! Answers that end in their middle: whoever answers, the same error and exit code, and no half answer that looks whole.

use crate::faults::replay;
use crate::program::{Data, Running, Said, fedilake, wait_until};

const FORMATS: [&str; 5] = ["table", "csv", "json", "ndjson", "parquet"];

/// Questions that fail after their first rows, and words of the cause.
const QUESTIONS: [(&str, &str); 6] = [
    ("select case when range < 500000 then range else error('stop here') end as n from range(1000000)", "stop here"),
    (
        "select (case when range < 400000 then '1' else 'no number ' || range end)::integer as n from range(500000)",
        "no number",
    ),
    ("select (9223372036854775807 - 300000 + range)::bigint + 1 as n from range(600000)", "Overflow"),
    (
        "select strptime(case when range < 300000 then '2024-01-01' else 'no day' end, '%Y-%m-%d') as day from range(400000)",
        "no day",
    ),
    ("select range as n from range(1000000000000) where range < 300000 or range % 7 = 9", "the time limit"),
    (
        "select '{' || repeat('x', (range // 300000)::integer) || '}' as t, json('{' || repeat('x', (range // 300000)::integer) || '}') as j from range(400000)",
        "JSON",
    ),
];

fn ask(data: &Data, question: &str, format: &str) -> (Said, Vec<u8>) {
    let mut command = fedilake(["sql", question, "--format", format]);
    command.arg("--data").arg(data.path()).env("FEDILAKE_SQL_SECONDS_MAX", "2");
    let output = command.output().unwrap();
    let bytes = output.stdout.clone();
    (output.into(), bytes)
}

#[test]
fn a_question_that_fails_in_the_middle_of_its_answer_says_the_same_beside_an_owner_as_alone() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let alone: Vec<Said> =
        QUESTIONS.iter().flat_map(|(question, _)| FORMATS.map(|format| ask(&data, question, format).0)).collect();
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data.path()).env("FEDILAKE_SQL_SECONDS_MAX", "2");
    let mut owner = Running::start(&mut command);
    owner.wait_for_line("answering on");
    let mut alone = alone.iter();
    for (question, cause) in QUESTIONS {
        for format in FORMATS {
            let (said, bytes) = ask(&data, question, format);
            let alone = alone.next().unwrap();
            let what = format!("{format}: {question}: {}", said.stderr);
            assert_eq!((said.code(), alone.code()), (Some(2), Some(2)), "{what}");
            assert_eq!(said.stderr, alone.stderr, "{what}");
            assert!(said.stderr.starts_with("error: ") && said.stderr.contains(cause), "{what}");
            assert!(!said.stderr.contains("decoding") && !said.stderr.contains("roken pipe"), "{what}");
            match format {
                "table" => assert!(bytes.is_empty(), "{what}"),
                "json" => assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err(), "{what}"),
                "parquet" => assert!(!bytes.ends_with(b"PAR1"), "{what}"),
                _ => assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{what}"),
            }
        }
    }
    owner.interrupt().done();
}

#[test]
fn an_answer_that_cannot_be_written_says_why_and_not_that_a_pipe_broke() {
    let data = Data::new();
    replay(&data, 0..10).done();
    // A number of 39 digits has no type in Parquet: its reader gives up in the middle of the rows.
    let question = "select case when range < 500000 then 1 else 170141183460469231731687303715884105727 end::hugeint as n from range(1000000)";
    let alone = ask(&data, question, "parquet").0;
    let owner = data.serve();
    let beside = ask(&data, question, "parquet").0;
    assert_eq!((alone.code(), beside.code()), (Some(2), Some(2)), "{alone:#?} {beside:#?}");
    assert_eq!(alone.stderr, beside.stderr);
    assert!(alone.stderr.contains("38 digits"), "{}", alone.stderr);
    owner.interrupt().done();
}

#[test]
fn an_owner_that_is_gone_in_the_middle_of_its_answer_is_named_in_every_format() {
    let data = Data::new();
    replay(&data, 0..10).done();
    for format in FORMATS {
        for is_killed in [true, false] {
            let owner = data.serve();
            let pid = owner.pid();
            let mut command = fedilake(["sql", "select range from range(1000000000000)", "--format", format]);
            let asked = Running::start_silent(command.arg("--data").arg(data.path()));
            wait_until("an answer under way", || crate::beside::is_busy(asked.pid()));
            if is_killed {
                owner.kill();
            } else {
                owner.interrupt().done();
            }
            let said = asked.end();
            assert_eq!(said.code(), Some(2), "{format}: {}", said.stderr);
            let words = if is_killed {
                format!("(pid {pid}) ended in the middle of its answer\nhint: ")
            } else {
                "is stopping".to_owned()
            };
            assert!(said.stderr.contains(&words), "{format}: {}", said.stderr);
        }
    }
}

#[test]
fn reports_and_checks_name_an_owner_that_is_gone_too() {
    let data = Data::new();
    replay(&data, 0..2_000).done();
    for question in [&["report", "statistics"][..], &["check"], &["sql", "select 1"]] {
        let owner = data.serve();
        let pid = owner.pid();
        // A stopped process accepts connections, so a client cannot know that it answers nothing.
        crate::program::signal(pid, "STOP");
        let asked = data.start(question);
        wait_until("a question on its way", || connections_to(pid) > 0);
        owner.kill();
        let said = asked.end();
        assert_eq!(said.code(), Some(2), "{question:?}: {}", said.stderr);
        assert!(
            said.stderr.contains(&format!("(pid {pid}) ended in the middle of its answer")),
            "{question:?}: {}",
            said.stderr
        );
    }
}

/// Connections of others to the port that a process listens on, whether or not it has accepted them.
fn connections_to(pid: u32) -> usize {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| {
            Some(
                std::fs::read_link(fd.path())
                    .ok()?
                    .to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let listening = |row: &&Vec<&str>| row[3] == "0A" && inodes.iter().any(|inode| inode == row[9]);
    let ports: Vec<&str> = rows.iter().filter(listening).map(|row| row[1]).collect();
    rows.iter().filter(|row| row[3] == "01" && ports.contains(&row[2])).count()
}
