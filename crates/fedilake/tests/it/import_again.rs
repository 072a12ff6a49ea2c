//! Importing again from a source that changed since: files that came late, grew, were replaced or could not be read at first.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};

use crate::import::{Bucket, assert_whole, columns, parquet, toots};
use crate::program::{Data, Said};

fn rows(numbers: Range<i64>) -> Vec<u8> {
    parquet(columns(&toots(numbers)))
}

/// Rows of which the first names no post, and has a count that is none.
fn rows_with_an_odd_one(numbers: Range<i64>) -> Vec<u8> {
    let count = numbers.end - numbers.start;
    let mut odd = toots(numbers);
    odd[0].url = Some("no address".to_owned());
    let mut odd = columns(&odd);
    let favourites: ArrayRef =
        Arc::new((0..count).map(|n| Some(if n == 0 { "many" } else { "7" })).collect::<StringArray>());
    odd.iter_mut().find(|(name, _)| *name == "favourites").unwrap().1 = favourites;
    parquet(odd)
}

fn import(data: &Data, bucket: &Bucket) -> Said {
    data.run(["import", bucket.typed()])
}

#[expect(clippy::single_range_in_vec_init, reason = "lists of files")]
#[test]
fn a_file_that_comes_when_later_rows_are_in_stays_named_until_it_is_imported_as_the_hint_says() {
    // Files at first, the file that comes late, what the table then lacks of it, what no file has.
    type Case<'a> = (&'a [Range<i64>], Range<i64>, &'a str, Option<&'a str>);
    let cases: [Case<'_>; 5] = [
        (
            &[0..5, 10..15],
            5..10,
            "5 offsets that the table lacks, whose files came when later ones were imported: 0:5..10",
            None,
        ),
        (&[5..10], 0..5, "lacks, whose files came when later ones were imported: 0:0..5", None),
        (&[0..5, 10..15], 5..8, "later ones were imported: 0:5..8", Some("2 offsets that no file has: 0:8..10")),
        (&[0..5, 10..15, 20..25], 15..20, "later ones were imported: 0:15..20", Some("no file has: 0:5..10")),
        // Some of its rows are in the table.
        (&[0..5, 10..15], 3..12, "later ones were imported: 0:5..10", None),
    ];
    for (files, late, named, absent) in cases {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        files.iter().for_each(|file| {
            bucket.put(0, file.start.unsigned_abs(), &rows(file.clone()));
        });
        import(&data, &bucket);
        bucket.put(0, late.start.unsigned_abs(), &rows(late.clone()));
        let before: usize = files.iter().map(|file| file.clone().count()).sum();
        for round in 0..4 {
            if round == 2 {
                // What was read is found again.
                std::fs::remove_dir_all(data.path().join("import")).unwrap();
            }
            let said = import(&data, &bucket);
            assert_eq!(said.code(), Some(1), "{named} {round}: {said:?}");
            assert!(said.stdout.contains(named), "{named} {round}: {said:?}");
            assert!(
                said.stderr.contains(named) && said.stderr.contains("\nhint: a table only goes forward"),
                "{said:?}"
            );
            assert!(!said.stderr.contains("has all of it"), "{said:?}");
            assert_eq!(said.stdout.contains(absent.unwrap_or("no file has")), absent.is_some(), "{said:?}");
            assert_whole(&data, before);
        }
        // The hint's two ways.
        let new = Data::new();
        let said = import(&new, &bucket);
        assert_eq!(said.code(), Some(i32::from(absent.is_some())), "{said:?}");
        let all =
            files.iter().cloned().chain([late.clone()]).flatten().collect::<std::collections::BTreeSet<_>>().len();
        assert_whole(&new, all);
        let aside = Bucket(data.beside("late"));
        aside.put(0, late.start.unsigned_abs(), &rows(late));
        import(&data, &aside).done();
        assert_eq!(data.number("select count(*) from posts"), all as i64);
    }
}

#[test]
fn rows_behind_a_file_that_cannot_be_read_wait_for_it() {
    let dangling = |path: &Path| {
        #[cfg(unix)]
        std::os::unix::fs::symlink(path.with_extension("elsewhere"), path).unwrap();
        #[cfg(not(unix))]
        std::fs::write(path, b"").unwrap();
    };
    let ways: [&dyn Fn(&Path); 3] = [&dangling, &|path| std::fs::write(path, b"PAR1").unwrap(), &|path| {
        std::fs::write(path, &rows(5..10)[..1_000]).unwrap()
    }];
    for damage in ways {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        bucket.put(0, 0, &rows(0..5));
        let path = bucket.put(0, 5, b"");
        bucket.put(0, 10, &rows(10..15));
        bucket.put(1, 0, &rows(100..105));
        std::fs::remove_file(&path).unwrap();
        damage(&path);
        for _ in 0..2 {
            let said = import(&data, &bucket);
            assert_eq!(said.code(), Some(2), "{said:?}");
            assert!(said.stderr.contains(&format!("{} cannot be read: ", path.display())), "{said:?}");
            assert_whole(&data, 10);
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, rows(5..10)).unwrap();
        import(&data, &bucket).done();
        assert_whole(&data, 20);

        // One that was read when it was whole holds up nothing.
        std::fs::remove_file(&path).unwrap();
        damage(&path);
        bucket.put(0, 15, &rows(15..20));
        let said = import(&data, &bucket);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert_whole(&data, 25);
    }

    // It is moved away, as the hint says, and comes back after all.
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    bucket.put(0, 0, &rows(0..5));
    let path = bucket.put(0, 5, b"PAR1");
    bucket.put(0, 10, &rows(10..15));
    assert_eq!(import(&data, &bucket).code(), Some(2));
    std::fs::remove_file(path).unwrap();
    assert_eq!(import(&data, &bucket).code(), Some(1));
    bucket.put(0, 5, &rows(5..10));
    for _ in 0..2 {
        let said = import(&data, &bucket);
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(said.stdout.contains("later ones were imported: 0:5..10"), "{said:?}");
    }
}

#[test]
fn rows_that_cannot_be_used_count_once_whenever_their_file_came_or_grew() {
    // The file at offset 0, the one at 10, and what becomes of each.
    let changes: [&dyn Fn(&Bucket); 3] = [
        // It grew.
        &|bucket| {
            let mut grown = toots(0..10);
            grown[5].url = Some("no address".to_owned());
            let mut grown = columns(&grown);
            let favourites: ArrayRef =
                Arc::new((0..10).map(|n| Some(if n == 5 { "many" } else { "7" })).collect::<StringArray>());
            grown.iter_mut().find(|(name, _)| *name == "favourites").unwrap().1 = favourites;
            bucket.put(0, 0, &parquet(grown));
        },
        // Another came behind it, or before it.
        &|bucket| {
            bucket.put(0, 5, &rows_with_an_odd_one(5..10));
        },
        &|bucket| {
            bucket.put(1, 0, &rows_with_an_odd_one(20..25));
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        bucket.put(0, 0, &rows(0..5));
        bucket.put(1, 5, &rows(25..30));
        import(&data, &bucket).done();
        change(&bucket);
        for round in 0..4 {
            if round == 2 {
                std::fs::remove_dir_all(data.path().join("import")).unwrap();
            }
            let said = import(&data, &bucket);
            assert_eq!(said.code(), Some(1), "{at} {round}: {said:?}");
            assert!(said.stderr.contains("1 not usable (no_url 1)"), "{at} {round}: {said:?}");
            assert!(
                said.stderr.contains("1 value could not be read as what their columns hold: favourites 1"),
                "{said:?}"
            );
        }
    }
}

#[test]
fn other_posts_under_offsets_that_are_in_are_named_on_each_run() {
    let changes: [&dyn Fn(&Bucket); 4] = [
        // The same file, as long, longer and shorter than it was; another one over it.
        &|bucket| drop(bucket.put(0, 0, &rows(50..60))),
        &|bucket| drop(bucket.put(0, 0, &rows(50..70))),
        &|bucket| drop(bucket.put(0, 0, &rows(50..55))),
        &|bucket| drop(bucket.put(0, 5, &rows(50..55))),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        bucket.put(0, 0, &rows(0..10));
        bucket.put(0, 10, &rows(10..20));
        import(&data, &bucket).done();
        change(&bucket);
        for round in 0..2 {
            let said = import(&data, &bucket);
            assert_eq!(said.code(), Some(1), "{at} {round}: {said:?}");
            assert!(said.stderr.contains("hold another post than that file, and are not imported"), "{at} {said:?}");
            assert!(!said.stderr.contains("has all of it"), "{at} {said:?}");
            assert_whole(&data, 20);
        }
    }
    // A file that was copied once more is the same one.
    let data = Data::new();
    let bucket = Bucket::beside(&data);
    let path = bucket.put(0, 0, &rows(0..10));
    import(&data, &bucket).done();
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    import(&data, &bucket).done();
}

#[test]
fn a_source_whose_rows_take_less_than_a_byte_is_imported_again() {
    let equal = |count: usize| {
        let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; count])) };
        parquet(vec![
            ("m_id", Arc::new(Int64Array::from(vec![1; count]))),
            ("created_at", Arc::new(Int32Array::from(vec![1_675_420_800; count]))),
            ("url", texts("https://one.test/@ann/1")),
            ("username", texts("ann")),
        ])
    };
    let file = equal(20_000);
    assert!(file.len() < 10_000, "{}", file.len());
    // Alone; with a file over its middle; before the table's end.
    for others in [&[][..], &[(10_000, 10)], &[(19_995, 3), (20_000, 10)]] {
        let data = Data::new();
        let bucket = Bucket::beside(&data);
        bucket.put(0, 0, &file);
        for (first, count) in others {
            bucket.put(0, *first, &equal(*count));
        }
        for _ in 0..2 {
            import(&data, &bucket).done();
        }
        std::fs::remove_dir_all(data.path().join("import")).unwrap();
        let said = import(&data, &bucket).done();
        assert!(said.stderr.contains("the table has all of it"), "{said:?}");
        bucket.put(0, 20_010, &equal(5));
        let said = import(&data, &bucket);
        assert!(said.stderr.contains("5 events appended"), "{said:?}");
    }
}
