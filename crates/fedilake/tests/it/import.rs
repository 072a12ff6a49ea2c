//! Importing from the talk's pipeline: the files of its sink, and the talk's figures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};
use chrono::DateTime;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::program::{Data, fedilake};
use crate::replay::status;

/// A row of the talk's record; `number` tells it from others.
#[derive(Clone, Debug)]
pub struct Toot {
    number: i64,
    /// Epoch seconds.
    created_at: i32,
    app: &'static str,
    pub url: Option<String>,
    base_url: &'static str,
    language: &'static str,
    username: String,
    bot: bool,
    tags: i32,
    text: String,
}

/// The talk's first day, 3 February 2023 11:00 UTC.
pub const BEGIN: i32 = 1_675_422_000;

impl Toot {
    pub fn new(number: i64) -> Toot {
        let (host, user) = (format!("host{}.test", number % 7), format!("User{}", number % 23));
        Toot {
            number,
            // Four days at 1,000 rows.
            created_at: BEGIN + i32::try_from(number * 300).unwrap(),
            app: if number % 3 == 0 { "Tusky" } else { "" },
            url: Some(format!("https://{host}/@{user}/{}", 109_000_000_000_000_000 + number)),
            base_url: "https://mastodon.social",
            language: ["en", "de", "ja", "unknown"][usize::try_from(number % 4).unwrap()],
            username: user,
            bot: number % 23 == 5,
            tags: i32::try_from(number % 3).unwrap(),
            text: format!("toot {number} about a balloon ü{}", "x".repeat(usize::try_from(number % 50).unwrap())),
        }
    }

    fn host(&self) -> &str {
        self.url.as_deref().unwrap().split('/').nth(2).unwrap()
    }

    fn characters(&self) -> i32 {
        i32::try_from(self.text.chars().count()).unwrap()
    }

    fn words(&self) -> i32 {
        i32::try_from(self.text.split(' ').count()).unwrap()
    }
}

pub fn toots(numbers: std::ops::Range<i64>) -> Vec<Toot> {
    numbers.map(Toot::new).collect()
}

/// The columns as Connect's Parquet format writes the talk's Avro record.
pub fn columns(rows: &[Toot]) -> Vec<(&'static str, ArrayRef)> {
    fn int(values: impl Iterator<Item = i32>) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(values))
    }
    fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
    let written: Vec<String> = rows.iter().map(created_at_str).collect();
    vec![
        ("m_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| 5_000_000_000 + row.number)))),
        ("created_at", int(rows.iter().map(|row| row.created_at))),
        ("created_at_str", text(written.iter().map(|written| Some(written.as_str())))),
        ("app", text(rows.iter().map(|row| Some(row.app)))),
        ("url", text(rows.iter().map(|row| row.url.as_deref()))),
        ("base_url", text(rows.iter().map(|row| Some(row.base_url)))),
        ("language", text(rows.iter().map(|row| Some(row.language)))),
        ("favourites", int(rows.iter().map(|_| 0))),
        ("username", text(rows.iter().map(|row| Some(row.username.as_str())))),
        ("bot", Arc::new(rows.iter().map(|row| Some(row.bot)).collect::<BooleanArray>())),
        ("tags", int(rows.iter().map(|row| row.tags))),
        ("characters", int(rows.iter().map(Toot::characters))),
        ("words", int(rows.iter().map(Toot::words))),
        ("mastodon_text", text(rows.iter().map(|row| Some(row.text.as_str())))),
    ]
}

fn created_at_str(row: &Toot) -> String {
    DateTime::from_timestamp(row.created_at.into(), 0).unwrap().format("%Y %m %d %H:%M:%S").to_string()
}

pub fn parquet(columns: Vec<(&'static str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(snappy)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The name that Connect gives the file of a partition that begins at an offset.
pub fn name(partition: u32, first: u64) -> String {
    format!("topics/mastodon-topic/partition={partition}/mastodon-topic+{partition}+{first:010}.snappy.parquet")
}

/// A bucket on disk beside a data folder.
pub struct Bucket(pub PathBuf);

impl Bucket {
    pub fn beside(data: &Data) -> Bucket {
        Bucket(data.beside("bucket"))
    }

    pub fn put(&self, partition: u32, first: u64, content: &[u8]) -> PathBuf {
        let path = self.0.join(name(partition, first));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes files of so many rows each, from offset 0 on.
    pub fn fill(&self, partition: u32, rows: &[Toot], rows_a_file: usize) {
        for (at, rows) in rows.chunks(rows_a_file).enumerate() {
            self.put(partition, (at * rows_a_file) as u64, &parquet(columns(rows)));
        }
    }

    pub fn typed(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

/// The talk's figures, counted here.
fn figures(rows: &[Toot]) -> Value {
    let distinct = |value: &dyn Fn(&Toot) -> String| rows.iter().map(value).collect::<BTreeSet<_>>().len();
    let characters: Vec<i64> = rows.iter().map(|row| row.characters().into()).collect();
    let sum: i64 = characters.iter().sum();
    json!({
        "posts": rows.len(),
        "users": distinct(&|row| format!("{}@{}", row.username, row.host())),
        "origins": distinct(&|row| row.host().to_owned()),
        "languages": distinct(&|row| row.language.to_owned()),
        "characters_min": characters.iter().min(),
        "characters_mean": sum as f64 / rows.len() as f64,
        "characters_max": characters.iter().max(),
        "characters_sum": sum,
    })
}

/// Posts, users and origins by the day of receipt.
fn daily(rows: &[Toot]) -> Vec<(String, usize, usize, usize)> {
    let mut days: BTreeMap<String, Vec<&Toot>> = BTreeMap::new();
    for row in rows {
        let day = DateTime::from_timestamp(row.created_at.into(), 0).unwrap().format("%Y-%m-%d").to_string();
        days.entry(day).or_default().push(row);
    }
    let count = |(day, rows): (String, Vec<&Toot>)| {
        let users: BTreeSet<_> = rows.iter().map(|row| (&row.username, row.host())).collect();
        let origins: BTreeSet<_> = rows.iter().map(|row| row.host()).collect();
        (day, rows.len(), users.len(), origins.len())
    };
    days.into_iter().map(count).collect()
}

#[track_caller]
fn assert_statistics(data: &Data, rows: &[Toot]) {
    let statistics = data.run(["report", "statistics", "--format", "json"]).done().json();
    for (name, figure) in figures(rows).as_object().unwrap() {
        assert_eq!(&statistics[0][name], figure, "{name}: {statistics}");
    }
}

#[track_caller]
pub fn assert_whole(data: &Data, rows: usize) {
    let checked = data.run(["check", "--format", "json"]).done().json();
    assert_eq!(checked["rows"], rows, "{checked}");
}

#[test]
fn the_talks_files_give_the_talks_figures_and_give_them_once() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let (one, two) = (toots(0..1_000), toots(1_000..1_400));
    bucket.fill(0, &one, 100);
    bucket.fill(1, &two, 150);
    let all = [one, two].concat();

    let said = data.run(["import", bucket.typed()]).done();
    assert!(said.stderr.contains("1,400 rows read from 13 files"), "{}", said.stderr);
    assert!(said.stderr.contains("1,400 events appended\n"), "{}", said.stderr);
    assert!(said.stdout.starts_with("1,400 rows in ") && said.stdout.contains("\nwhole: "), "{}", said.stdout);

    assert_statistics(&data, &all);
    let report = data.run(["report", "daily", "--format", "json"]).done().json();
    let days: Vec<_> = report.as_array().unwrap().iter().collect();
    let count = |row: &Value, name: &str| usize::try_from(row[name].as_u64().unwrap()).unwrap();
    let reported: Vec<_> = days
        .iter()
        .map(|row| {
            (row["day"].as_str().unwrap().to_owned(), count(row, "posts"), count(row, "users"), count(row, "origins"))
        })
        .collect();
    assert_eq!(reported, daily(&all));
    assert!(reported.len() >= 4);
    let languages = data.run(["report", "languages", "--format", "json"]).done().json();
    let posts: u64 = languages.as_array().unwrap().iter().map(|row| row["posts"].as_u64().unwrap()).sum();
    assert_eq!((languages.as_array().unwrap().len(), posts), (4, 1_400), "{languages}");

    // Every column of the talk's table as in its files; an app that is not named is null, as `app <> ''` needs it.
    let toot = data.run(["sql", "select * from mastodon_toot order by m_id", "--format", "json"]).done().json();
    for (toot, row) in toot.as_array().unwrap().iter().zip(&all) {
        assert_eq!(toot["m_id"], 5_000_000_000 + row.number);
        assert_eq!(toot["created_at"], row.created_at);
        assert_eq!(toot["created_at_str"], created_at_str(row));
        assert_eq!(toot["app"].as_str().unwrap_or_default(), row.app);
        assert_eq!(toot["url"].as_str(), row.url.as_deref());
        assert_eq!(toot["from_instance"], row.host());
        assert_eq!(toot["base_url"], row.base_url);
        assert_eq!(toot["language"], row.language);
        assert_eq!((&toot["favourites"], &toot["username"]), (&json!(0), &json!(row.username)));
        assert_eq!((&toot["bot"], &toot["tags"]), (&json!(row.bot), &json!(row.tags)), "{toot}");
        assert_eq!((&toot["characters"], &toot["words"]), (&json!(row.characters()), &json!(row.words())));
        assert_eq!(toot["mastodon_text"], row.text);
    }

    // From another folder above the same files, which is the same log.
    let again = data.run(["import", bucket.0.join("topics/mastodon-topic").to_str().unwrap()]).done();
    assert!(again.stderr.contains("the table has all of it"), "{}", again.stderr);
    assert_whole(&data, 1_400);

    // The lake is a cache of the imported log.
    std::fs::remove_file(data.path().join("lake.duckdb")).unwrap();
    assert_statistics(&data, &all);
}

#[test]
fn gaps_overlaps_and_odd_rows_are_counted_and_cost_no_other_row() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let mut first = toots(100..200);
    first[7].url = None;
    first[8].username = String::new();
    // Offsets 100..200 of the topic; 200..250 in no file; then files that overlap, one of them within another.
    bucket.put(0, 100, &parquet(columns(&first)));
    bucket.put(0, 250, &parquet(columns(&toots(250..350))));
    bucket.put(0, 260, &parquet(columns(&toots(260..270))));
    bucket.put(0, 300, &parquet(columns(&toots(300..400))));
    // The last rows may not be kept: holes at the log's end.
    let mut last = toots(400..403);
    last.iter_mut().for_each(|row| row.url = Some("no address".to_owned()));
    bucket.put(0, 400, &parquet(columns(&last)));
    // Connect's files in other formats, and other programs' files, are ignored.
    std::fs::write(bucket.0.join("topics/mastodon-topic/partition=0/part-1.parquet"), "not ours").unwrap();

    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stdout.ends_with("0:200..250\n1 finding\n"), "{}", said.stdout);
    let said = said.stderr;
    for part in [
        "1 Parquet file whose names",
        "248 events appended, 5 not usable (no_account 1, no_url 4)",
        "+0000000100.snappy.parquet: row 8: it has no url of a post (no_url)",
        "+0000000100.snappy.parquet: row 9: it has no username (no_account)",
        "+0000000400.snappy.parquet: row 1: ",
        "50 offsets that no file has: 0:200..250",
        "60 rows of offsets that an earlier file had: taken once (first in ",
        "+0000000260.snappy.parquet)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("made anew"), "{said}");
    assert_whole(&data, 248);
    assert_eq!(data.number("select min(log_offset) from posts"), 100);
    // Rows keep the offsets of their source.
    assert_eq!(data.number("select count(*) from posts where id::bigint <> 5000000000 + log_offset"), 0);

    // Later rows are imported, and no row twice.
    bucket.put(0, 403, &parquet(columns(&toots(403..410))));
    let said = data.run(["import", bucket.typed()]);
    assert!(said.stderr.contains("7 events appended"), "{}", said.stderr);
    assert_whole(&data, 255);
    // The gap is as open as it was, also for a run that reads nothing; rows that are not kept are none.
    for said in [said, data.run(["import", bucket.typed()])] {
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(said.stdout.ends_with("50 offsets that no file has: 0:200..250\n1 finding\n"), "{}", said.stdout);
    }
}

#[test]
fn what_is_held_of_those_who_opted_out_goes_with_the_next_import() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.fill(0, &toots(0..140), 50);
    data.run(["import", bucket.typed()]).done();
    let held = |of: &str| data.number(&format!("select count(*) from posts where {of}"));
    assert_eq!((held("author_domain = 'host3.test'"), held("true")), (20, 140));
    let list = data.beside("opt-out.txt");
    std::fs::write(&list, "host3.test\n").unwrap();
    // The source has one file more, of which the same are left out.
    bucket.put(0, 140, &parquet(columns(&toots(140..154))));
    let import = || data.run(["import", bucket.typed(), "--opt-out", list.to_str().unwrap()]).done();
    let said = import();
    assert!(said.stderr.contains("opted_out 2"), "{}", said.stderr);
    assert!(said.stderr.contains("20 sightings of posts of people who opted out deleted"), "{}", said.stderr);
    assert_eq!((held("author_domain = 'host3.test'"), held("true")), (0, 132));
    // Once is enough, and the table alone has it too.
    assert!(!import().stderr.contains("people who opted out"));
    data.run(["check"]).done();
    std::fs::remove_file(data.path().join("lake.duckdb")).unwrap();
    assert_eq!((held("author_domain = 'host3.test'"), held("true")), (0, 132));
}

#[test]
fn a_topic_made_anew_under_its_name_is_not_taken_for_the_same_one() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.put(0, 0, &parquet(columns(&toots(0..100))));
    bucket.put(0, 10, &parquet(columns(&toots(5_000..5_010))));
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    let said = said.stderr;
    assert!(
        said.contains("10 rows of offsets that an earlier file had hold another post") && said.contains("\nhint: "),
        "{said}"
    );
    assert_whole(&data, 100);

    std::fs::remove_dir_all(&bucket.0).unwrap();
    bucket.put(0, 0, &parquet(columns(&toots(6_000..6_020))));
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("up to offset 100, but the log ends at 20"), "{}", said.stderr);
    assert!(said.stderr.contains("\nhint: ") && said.stderr.contains("made anew"), "{}", said.stderr);
}

#[test]
fn files_that_went_away_before_they_were_imported_are_a_gap_that_is_said() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.put(0, 0, &parquet(columns(&toots(0..10))));
    data.run(["import", bucket.typed()]).done();
    std::fs::remove_dir_all(&bucket.0).unwrap();
    bucket.put(0, 40, &parquet(columns(&toots(40..50))));
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    let said = said.stderr;
    assert!(said.contains("30 offsets that no file has: 0:10..40"), "{said}");
    assert_whole(&data, 20);
    // Rows of an earlier run are not missing, although their file is gone.
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(said.stdout.ends_with("30 offsets that no file has: 0:10..40\n1 finding\n"), "{}", said.stdout);
}

#[test]
fn a_damaged_file_is_named_and_what_came_before_it_stays() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.fill(0, &toots(0..300), 50);
    let whole = parquet(columns(&toots(100..150)));
    for damaged in [&b"PAR1 this is none"[..], &whole[..whole.len() / 2], b""] {
        let path = bucket.put(0, 100, damaged);
        bucket.fill(1, &toots(1_000..1_020), 10);
        let said = data.run(["import", bucket.typed()]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains(path.to_str().unwrap()), "{}", said.stderr);
        assert!(said.stderr.contains("cannot be read: ") && said.stderr.contains("\nhint: "), "{}", said.stderr);
        // Everything before the file in its partition, and the whole other partition.
        assert_whole(&data, 120);
    }
    bucket.put(0, 100, &whole);
    data.run(["import", bucket.typed()]).done();
    assert_statistics(&data, &[toots(0..300), toots(1_000..1_020)].concat());

    // The newest file is damaged: no other file depends on it.
    let last = bucket.put(0, 300, b"nothing");
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    std::fs::remove_file(last).unwrap();
    data.run(["import", bucket.typed()]).done();
    assert_whole(&data, 320);
}

#[test]
fn columns_of_other_types_and_other_columns_are_taken_as_far_as_they_go() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let rows = toots(0..20);
    let mut odd: Vec<(&'static str, ArrayRef)> =
        columns(&rows).into_iter().filter(|(name, _)| !["words", "base_url"].contains(name)).collect();
    for (name, column) in &mut odd {
        *column = match *name {
            "created_at" => arrow::compute::cast(column, &arrow::datatypes::DataType::Int64).unwrap(),
            "m_id" => arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap(),
            "bot" => {
                Arc::new(rows.iter().map(|row| Some(if row.bot { "True" } else { "False" })).collect::<StringArray>())
            }
            _ => Arc::clone(column),
        };
    }
    odd.push(("kafka_key", Arc::new(Int32Array::from(vec![1; 20]))));
    bucket.put(0, 0, &parquet(odd));
    let said = data.run(["import", bucket.typed()]).done().stderr;
    assert!(said.contains("not imported: kafka_key") && said.contains("base_url, words"), "{said}");
    assert_statistics(&data, &rows);
    assert_eq!(data.number("select count(*) from mastodon_toot where bot"), 1);
    assert_eq!(data.number("select count(*) from mastodon_toot where base_url <> 'https://' || from_instance"), 0);
    let words: i64 = rows.iter().map(|row| i64::from(row.words())).sum();
    assert_eq!(data.number("select sum(words)::bigint from mastodon_toot"), words);

    // Values that do not fit their column cost only themselves.
    let broken = Data::new();
    let bucket = Bucket::beside(&broken);
    let mut odd = columns(&rows);
    for (name, column) in &mut odd {
        *column = match *name {
            "favourites" => Arc::new((0..20).map(|n| Some(if n < 3 { "many" } else { "7" })).collect::<StringArray>()),
            "bot" => Arc::new((0..20).map(|n| Some(if n == 0 { "perhaps" } else { "no" })).collect::<StringArray>()),
            "words" => Arc::new(arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(
                (0..20).map(|n| Some(vec![Some(n)])),
            )),
            _ => Arc::clone(column),
        };
    }
    bucket.put(0, 0, &parquet(odd));
    let said = broken.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    let said = said.stderr;
    let counts = "24 values could not be read as what their columns hold: bot 1, favourites 3, words 20";
    assert!(said.contains(counts), "{said}");
    assert_eq!(broken.number("select sum(favourites)::bigint from posts"), 17 * 7);
    assert_whole(&broken, 20);

    let lacking = Data::new();
    let bucket = Bucket::beside(&lacking);
    bucket.put(0, 0, &parquet(columns(&rows).into_iter().filter(|(name, _)| *name != "url").collect()));
    let said = lacking.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("it has no column url"), "{}", said.stderr);
}

#[test]
fn a_source_that_cannot_be_imported_is_named_before_a_data_folder_is_made() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    std::fs::create_dir_all(&bucket.0).unwrap();
    for source in [bucket.typed(), "/nonexistent/bucket", "gs://bucket/topics"] {
        let said = data.run(["import", source]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains(source), "{}", said.stderr);
    }
    assert!(!data.path().exists());
}

#[test]
fn imported_and_collected_posts_live_side_by_side_and_a_post_of_both_is_one() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let frames = |name: &str, numbers: std::ops::Range<u64>| {
        let file = data.beside(name);
        let lines: Vec<String> = numbers.map(|n| status(n, "collected").to_string()).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    data.run(["replay", &frames("before.jsonl", 1..11)]).done();

    // Posts 5 to 14 as the talk saw them, by their pages, on another server and under other ids.
    let page = |number: i64| Toot {
        url: Some(format!("https://a.example/@ada/{number}")),
        username: "ada".to_owned(),
        ..Toot::new(number)
    };
    bucket.put(0, 0, &parquet(columns(&(5..15).map(page).collect::<Vec<_>>())));
    data.run(["import", bucket.typed()]).done();
    assert_eq!(data.number("select count(*) from posts"), 14);
    assert_eq!(data.number("select count(*) from posts where text = 'collected'"), 10);
    assert_eq!(data.number("select count(*) from sightings"), 20);

    // Later the other posts are collected too.
    data.run(["replay", &frames("after.jsonl", 11..21)]).done();
    assert_eq!(data.number("select count(*) from posts where text = 'collected'"), 20);
    assert_eq!(data.number("select count(*) from posts"), 20);
    assert_whole(&data, 30);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.put(0, 0, &parquet(columns(&toots(0..5))));
    let mut owner = data.start(["serve", "--listen", "127.0.0.1:0"]);
    owner.address();
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains(&owner.pid().to_string()) && said.stderr.contains("\nhint: "), "{}", said.stderr);
}

/// The number of kills of an import.
const ROUNDS: u32 = 15;

/// Data files of the imported logs.
fn committed_files(data: &Path) -> usize {
    let read = |folder: &Path| std::fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect());
    let logs: Vec<PathBuf> = read(&data.join("table/posts")).unwrap_or_default();
    let partitions = logs.iter().flat_map(|log| read(log).unwrap_or_else(|_| Vec::new()));
    let files = partitions.flat_map(|partition| read(&partition).unwrap_or_else(|_| Vec::new()));
    files.filter(|file| file.extension().is_some_and(|kind| kind == "parquet")).count()
}

#[test]
fn a_killed_import_goes_on_and_has_each_offset_once() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let rows = toots(0..30_000);
    let (one, two) = rows.split_at(20_000);
    bucket.fill(0, one, 250);
    bucket.fill(1, two, 100);
    // Connect was set back once, and wrote rows again.
    bucket.put(0, 5_100, &parquet(columns(&one[5_100..5_600])));

    let mut dice = rand::rngs::StdRng::seed_from_u64(3);
    let mut files = vec![0];
    for round in 0..ROUNDS {
        let mut import = fedilake(["import", bucket.typed(), "--data", data.path().to_str().unwrap()]);
        // Small files, so that commits are under way most of the time.
        import.env("FEDILAKE_SINK_BUFFER_BYTES_MAX", "100000");
        let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The kill comes after so many more files, however long they take, and a moment that the test varies; every third one while the
        // import begins.
        let wanted = files[files.len() - 1] + [0, 1, 2][round as usize % 3];
        while committed_files(&data.path()) < wanted && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(5).mul_f64(dice.random_range(0.0..1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        files.push(committed_files(&data.path()));
    }
    let at_work = files.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(at_work >= 5, "no kill fell into work: {files:?}");
    data.run(["import", bucket.typed()]).done();
    assert_whole(&data, rows.len());
    assert_statistics(&data, &rows);
    assert_eq!(data.number("select count(distinct (log_partition, log_offset)) from posts"), 30_000);
    println!("{ROUNDS} kills, {at_work} of them at work: {files:?}");
}

#[tokio::test]
async fn a_bucket_gives_what_a_folder_gives() {
    let Some(services) = fedilake_services::Services::shared("a_bucket_gives_what_a_folder_gives") else { return };
    let endpoint = services.s3.endpoint;
    let store = AmazonS3Builder::new()
        .with_endpoint(&endpoint)
        .with_allow_http(true)
        .with_bucket_name("fedilake")
        .with_region("us-east-1")
        .with_access_key_id("fedilake")
        .with_secret_access_key("fedilake-secret")
        .build()
        .unwrap();
    let prefix = format!("import-test-{:016x}", rand::random::<u64>());
    let rows = toots(0..500);
    for (at, rows) in rows.chunks(20).enumerate() {
        let path = format!("{prefix}/{}", name(0, at as u64 * 20));
        store.put(&path.as_str().into(), parquet(columns(rows)).into()).await.unwrap();
    }
    let data = Data::new();
    for said in ["500 events appended", "the table has all of it"] {
        let mut import = fedilake(["import", &format!("s3://fedilake/{prefix}"), "--data"]);
        import.arg(data.path()).env("AWS_ENDPOINT_URL", &endpoint).env("AWS_REGION", "us-east-1");
        import.env("AWS_ACCESS_KEY_ID", "fedilake").env("AWS_SECRET_ACCESS_KEY", "fedilake-secret");
        let output = crate::program::Said::from(import.output().unwrap()).done();
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
    assert_statistics(&data, &rows);
    assert_whole(&data, 500);
    let mut objects = store.list(Some(&prefix.as_str().into()));
    while let Some(object) = futures::StreamExt::next(&mut objects).await {
        store.delete(&object.unwrap().location).await.unwrap();
    }
}

/// A file of these columns with some codec.
fn parquet_in(codec: Compression, columns: Vec<(&'static str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn every_codec_of_the_sink_is_read_and_keys_and_headers_are_passed_over() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let rows = toots(0..80);
    let codecs = [
        ("", Compression::UNCOMPRESSED),
        (".snappy", Compression::SNAPPY),
        (".gz", Compression::GZIP(Default::default())),
        (".br", Compression::BROTLI(Default::default())),
        (".lz4hadoop", Compression::LZ4),
        (".lz4", Compression::LZ4_RAW),
        (".zstd", Compression::ZSTD(Default::default())),
        (".lz4raw", Compression::LZ4_RAW),
    ];
    let folder = bucket.0.join("topics/t/partition=0");
    std::fs::create_dir_all(&folder).unwrap();
    for (at, (suffix, codec)) in codecs.into_iter().enumerate() {
        let first = at * 10;
        let put = |kind: &str, content: &[u8]| {
            std::fs::write(folder.join(format!("t+0+{first:010}{kind}{suffix}.parquet")), content).unwrap();
        };
        put("", &parquet_in(codec, columns(&rows[first..first + 10])));
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![1; 10]));
        put(".keys", &parquet_in(codec, vec![("key", keys)]));
        put(".headers", b"not even Parquet");
    }
    let said = data.run(["import", bucket.typed()]).done();
    assert!(said.stderr.contains("80 rows read from 8 files"), "{}", said.stderr);
    assert!(said.stderr.contains("16 files of records' keys or headers: not imported"), "{}", said.stderr);
    assert_statistics(&data, &rows);
}

#[test]
fn a_time_without_its_unit_is_read_by_the_files_other_evidence_or_refused() {
    let rows = toots(0..30);
    for (per_second, is_written) in
        [(1, false), (1_000, true), (1_000, false), (1_000_000, true), (1_000_000_000, false)]
    {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        let mut odd: Vec<(&'static str, ArrayRef)> = columns(&rows);
        odd.retain(|(name, _)| is_written || *name != "created_at_str");
        for (name, column) in &mut odd {
            if *name == "created_at" {
                *column = Arc::new(
                    rows.iter().map(|row| Some(i64::from(row.created_at) * per_second)).collect::<Int64Array>(),
                );
            }
        }
        bucket.put(0, 0, &parquet(odd));
        data.run(["import", bucket.typed()]).done();
        let seconds: i64 = rows.iter().map(|row| i64::from(row.created_at)).sum();
        assert_eq!(
            data.number("select sum(created_at)::bigint from mastodon_toot"),
            seconds,
            "{per_second} {is_written}"
        );
    }
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let mut odd = columns(&rows);
    odd.retain(|(name, _)| *name != "created_at_str");
    for (name, column) in &mut odd {
        if *name == "created_at" {
            *column = Arc::new((0..30).map(|n| Some(n * 86_400)).collect::<Int64Array>());
        }
    }
    bucket.put(0, 0, &parquet(odd));
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("column created_at says no unit"), "{}", said.stderr);
}

#[test]
fn hostile_files_and_names_are_named_and_cost_no_other_file() {
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.fill(0, &toots(0..20), 10);
    let whole = parquet(columns(&toots(20..30)));
    let mut seed = rand::rngs::StdRng::seed_from_u64(1);
    let mut hostile: Vec<Vec<u8>> = (0..60)
        .map(|_| {
            let mut bytes = whole.clone();
            for _ in 0..seed.random_range(1..20) {
                let at = seed.random_range(4..bytes.len());
                bytes[at] = seed.random();
            }
            bytes.truncate(seed.random_range(bytes.len() / 2..=bytes.len()));
            bytes
        })
        .collect();
    // Texts that are not valid UTF-8, and a column of lists only.
    hostile.push(parquet(vec![
        ("m_id", Arc::new(Int64Array::from(vec![1]))),
        ("url", Arc::new(StringArray::from(vec!["x"]))),
    ]));
    for (at, bytes) in hostile.iter().enumerate() {
        let path = bucket.put(0, 20, bytes);
        let said = data.run(["import", bucket.typed()]);
        assert!(matches!(said.code(), Some(0..=2)), "{at}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{at}: {}", said.stderr);
        if said.code() == Some(0) {
            // The file was read completely, and the table has its rows.
            break;
        }
        std::fs::remove_file(path).unwrap();
    }
    assert!(data.number("select count(*) from posts") >= 20);

    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.fill(0, &toots(0..20), 10);
    let ten = parquet(columns(&toots(20..30)));
    for first in [i64::MAX.unsigned_abs() - 5, i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1, u64::MAX] {
        let path = bucket.put(0, first, &ten);
        let said = data.run(["import", bucket.typed()]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains(path.to_str().unwrap()) && said.stderr.contains("\nhint: "), "{}", said.stderr);
        std::fs::remove_file(path).unwrap();
        assert_whole(&data, 20);
    }
    // The greatest possible offsets.
    let last = Data::new();
    let bucket = Bucket::beside(&last);
    bucket.put(i32::MAX.unsigned_abs(), i64::MAX.unsigned_abs() - 10, &ten);
    last.run(["import", bucket.typed()]).done();
    assert_whole(&last, 10);
}

#[test]
fn a_value_that_means_nothing_or_is_not_kept_whole_is_counted_and_means_exit_1() {
    let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![Some(text), None, None])) };
    let numbers = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(number), None, None])) };
    let cases: [(&[(&str, ArrayRef)], &str); 8] = [
        (&[("base_url", texts("not a host"))], "1 value could not be read as what their columns hold: base_url 1"),
        (&[("favourites", numbers(-1))], "columns hold: favourites 1"),
        (&[("characters", numbers(1 << 40))], "columns hold: characters 1"),
        (&[("tags", numbers(300))], "row 1: it has more hashtags than are kept (tags_cut)"),
        (&[("language", texts(&"x".repeat(100)))], "row 1: its language is longer than is kept, and is left out"),
        (&[("app", texts(&"x".repeat(1_000)))], "flaws: app_cut 1"),
        (&[("mastodon_text", texts(&"x".repeat(300_000)))], "flaws: text_cut 1"),
        (&[("created_at", numbers(i64::MAX)), ("created_at_str", texts("yesterday"))], "created_at says no unit"),
    ];
    for (columns_of_it, part) in cases {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        let mut odd = columns(&toots(0..3));
        for (name, column) in columns_of_it {
            odd.iter_mut().find(|(other, _)| other == name).unwrap().1 = Arc::clone(column);
        }
        bucket.put(0, 0, &parquet(odd));
        let said = data.run(["import", bucket.typed()]);
        let is_refused = part.contains("unit");
        assert_eq!(said.code(), Some(if is_refused { 2 } else { 1 }), "{part}: {said:?}");
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
        if !is_refused {
            assert_whole(&data, 3);
        }
    }
    // The time of most rows tells the unit; the time of one that is in none cannot be read.
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let mut odd = columns(&toots(0..3));
    for (name, column) in &mut odd {
        *column = match *name {
            "created_at" => Arc::new(Int64Array::from(vec![BEGIN.into(), BEGIN.into(), i64::MAX])),
            "created_at_str" => Arc::new(StringArray::from(vec![None, None, Some("yesterday")])),
            _ => Arc::clone(column),
        };
    }
    bucket.put(0, 0, &parquet(odd));
    let said = data.run(["import", bucket.typed(), "--quiet"]);
    assert_eq!(said.code(), Some(1), "{said:?}");
    assert!(!said.stderr.contains("3 rows read"), "{said:?}");
    assert!(said.stderr.contains("row 3: its time cannot be read, and that of the file stands in"), "{}", said.stderr);
}

#[cfg(unix)]
#[test]
fn odd_entries_of_a_folder_are_named_where_they_stand_for_data_and_cost_no_file() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.fill(0, &toots(0..20), 10);
    let file = |name: &str| bucket.0.join("topics/mastodon-topic/partition=0").join(name);
    for name in ["_SUCCESS", ".DS_Store", ".mastodon-topic+0+0000000000.snappy.parquet.crc"] {
        std::fs::write(file(name), "x").unwrap();
    }
    std::fs::write(file("._mastodon-topic+0+0000000000.snappy.parquet"), "x").unwrap();
    std::fs::create_dir(file("mastodon-topic+0+0000000020.snappy.parquet")).unwrap();
    std::fs::create_dir(file("mastodon-topic+0+0000000030.snappy.parquet")).unwrap();
    std::fs::write(file("mastodon-topic+0+0000000030.snappy.parquet/part-0.parquet"), "x").unwrap();
    // A file that lies elsewhere is read through its link.
    std::fs::write(data.beside("elsewhere"), parquet(columns(&toots(20..30)))).unwrap();
    std::fs::create_dir(bucket.0.join("more")).unwrap();
    symlink(data.beside("elsewhere"), file("mastodon-topic+0+0000000020.parquet")).unwrap();
    let said = data.run(["import", bucket.typed()]).done().stderr;
    assert!(said.contains("1 Parquet file whose names do not say"), "{said}");
    assert!(said.contains("1 Parquet file hidden by a dot"), "{said}");
    assert_whole(&data, 30);

    let broken = file("mastodon-topic+0+0000000030.parquet");
    symlink("/nonexistent/file", &broken).unwrap();
    let said = data.run(["import", bucket.typed()]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains(&format!("{} cannot be read: it is a link to nothing", broken.display())), "{said:?}");
    std::fs::remove_file(broken).unwrap();

    let circle = file("circle");
    symlink(&bucket.0, &circle).unwrap();
    let foreign = file("x").with_file_name(std::ffi::OsStr::from_bytes(b"\xff.parquet"));
    for (odd, is_file) in [(circle, false), (foreign, true)] {
        if is_file {
            std::fs::write(&odd, "x").unwrap();
        }
        let said = data.run(["import", bucket.typed()]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.stderr.contains("\nhint: nothing was imported"), "{}", said.stderr);
        std::fs::remove_file(odd).unwrap();
    }
    data.run(["import", bucket.typed()]).done();
}

#[test]
fn a_second_run_says_of_unusable_rows_what_the_first_said() {
    let numbers = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(number), None, None])) };
    let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![Some(text), None, None])) };
    type Case<'a> = (&'a [(&'a str, ArrayRef)], &'a str);
    let cases: [Case<'_>; 5] = [
        (&[("url", texts("no address"))], "row 1: it has no url of a post (no_url)"),
        (&[("favourites", numbers(-1))], "columns hold: favourites 1"),
        (&[("tags", numbers(30_000))], "row 1: it has more hashtags than are kept (tags_cut)"),
        (&[("created_at", texts("yesterday"))], "columns hold: created_at 1"),
        (
            &[("mastodon_text", texts(&"x".repeat(300_000)))],
            "row 1: its text is longer than is kept, and is cut (text_cut)",
        ),
    ];
    for (columns_of_it, part) in cases {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        bucket.put(0, 0, &parquet(columns(&toots(0..3))));
        let mut odd = columns(&toots(3..6));
        for (name, column) in columns_of_it {
            odd.iter_mut().find(|(other, _)| other == name).unwrap().1 = Arc::clone(column);
        }
        bucket.put(0, 3, &parquet(odd));
        bucket.put(1, 0, &parquet(columns(&toots(10..13))));
        let import = || data.run(["import", bucket.typed()]);
        let first = import();
        let count = |said: &str| said.matches(part).count();
        assert_eq!((first.code(), count(&first.stderr)), (Some(1), 1), "{part}: {first:?}");
        let second = import();
        assert!(second.stderr.contains("the table has all of it"), "{second:?}");
        bucket.put(0, 6, &parquet(columns(&toots(6..9))));
        let third = import();
        // Counts that were lost, as of a run that was killed, are counted again; half a file is no file.
        std::fs::remove_dir_all(data.path().join("import")).unwrap();
        let fourth = import();
        let memory = std::fs::read_dir(data.path().join("import")).unwrap().next().unwrap().unwrap().path();
        std::fs::write(memory, "{\"0\":{").unwrap();
        for said in [second, third, fourth, import(), import()] {
            assert_eq!((said.code(), count(&said.stderr)), (Some(1), 1), "{part}: {said:?}");
        }
    }
}

#[test]
fn a_time_of_receipt_is_read_in_each_spelling_and_one_that_is_none_is_counted() {
    let texts = |texts: [&str; 3]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let begin = i64::from(BEGIN);
    let millis: ArrayRef = Arc::new(Int64Array::from(vec![begin * 1_000; 3]));
    let field = Arc::new(arrow::datatypes::Field::new("$date", arrow::datatypes::DataType::Int64, true));
    let wrapped: ArrayRef = Arc::new(arrow::array::StructArray::from(vec![(field, millis)]));
    // The times, how many of them are none, and whole days.
    let cases: Vec<(ArrayRef, u64, bool)> = vec![
        (texts(["2023-02-03T11:00:00Z", "2023-02-03 12:00:00+0100", "Fri, 03 Feb 2023 11:00:00 GMT"]), 0, false),
        (texts(["1675422000", "1675422000", "1675422000"]), 0, false),
        (texts(["1675422000000", "2023-02-03T11:00:00.000Z", "20230203T110000Z"]), 0, false),
        (texts(["1675422000.0", "1.675422e9", r#"{"$date":1675422000000}"#]), 0, false),
        (texts(["2023-02-03T11:00:00Z", "yesterday", "2023-02-03T11:00:00Z"]), 1, false),
        (Arc::new(arrow::array::Float64Array::from(vec![begin as f64; 3])), 0, false),
        (Arc::new(arrow::array::UInt64Array::from(vec![begin.unsigned_abs() * 1_000_000; 3])), 0, false),
        (wrapped, 0, false),
        (Arc::new(arrow::array::Date64Array::from(vec![begin * 1_000; 3])), 0, false),
        (Arc::new(arrow::array::Date32Array::from(vec![BEGIN / 86_400; 3])), 0, true),
    ];
    for (column, unreadable, is_day) in cases {
        let (data, shown) = (Data::new(), format!("{column:?}"));
        let bucket = Bucket::beside(&data);
        let mut odd = columns(&toots(0..3));
        odd.retain(|(name, _)| *name != "created_at_str");
        odd.iter_mut().find(|(name, _)| *name == "created_at").unwrap().1 = column;
        bucket.put(0, 0, &parquet(odd));
        let said = data.run(["import", bucket.typed()]);
        assert_eq!(said.code(), Some(i32::from(unreadable > 0)), "{shown}: {said:?}");
        assert_eq!(said.stderr.contains(&format!("columns hold: created_at {unreadable}")), unreadable > 0, "{said:?}");
        let at = if is_day { begin - begin.rem_euclid(86_400) } else { begin };
        let sql = format!("select count(*) from posts where epoch(observed_at) = {at}");
        assert_eq!(data.number(&sql), 3 - unreadable as i64, "{shown}");
    }
}
