//! Names of the files that Kafka Connect's sink writes: `mastodon-topic+0+0000001000.snappy.parquet`.

use fedilake_log::{Offset, Partition};

/// The kind of a file, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The sink's, with records' values.
    Values(Name),
    /// The sink's, with the keys or headers of the values beside it (`store.kafka.keys`, `store.kafka.headers`).
    Beside,
    /// The sink's by its form, with a partition or an offset that no log has.
    Beyond,
    /// Somebody else's.
    Other,
}

/// The topic, partition and first offset in a file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The topic; no topic's name has a `+`.
    pub(super) topic: String,
    /// The partition of the topic.
    pub(super) partition: Partition,
    /// The offset of the file's first row.
    pub(super) first: Offset,
}

/// Rows end before this offset, as Kafka's do: an offset is a signed integer, and so is the one after it.
pub(super) const OFFSETS_END: u64 = i64::MAX.unsigned_abs();

impl Named {
    /// Reads the last part of a path.
    pub(super) fn parse(file: &str) -> Named {
        let parts: Vec<&str> = file.strip_suffix(".parquet").unwrap_or_default().split('+').collect();
        let [topic, partition, rest] = parts[..] else { return Named::Other };
        // Behind the offset stands the codec: `.snappy`, `.keys.snappy`.
        let (first, suffix) = rest.split_once('.').unwrap_or((rest, ""));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if topic.is_empty() || !is_number(partition) || !is_number(first) {
            return Named::Other;
        }
        if suffix.split('.').any(|part| matches!(part, "keys" | "headers")) {
            return Named::Beside;
        }
        match (partition.parse::<i32>(), first.parse::<u64>()) {
            (Ok(partition), Ok(first)) if first < OFFSETS_END => Named::Values(Name {
                topic: topic.to_owned(),
                partition: Partition(partition.unsigned_abs()),
                first: Offset(first),
            }),
            _ => Named::Beyond,
        }
    }
}

/// The folder of a topic, whose partitions' files may lie in it or in folders `partition=0`; `Err` with the folder that says
/// otherwise.
///
/// Only there do a file's rows follow each other without holes: other layouts (`year=2023/month=02`, `language=en`) put the rows
/// of a partition into files by what they say.
pub(super) fn topic_folder(folder: &str, partition: Partition) -> Result<&str, &str> {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    match last.split_once('=') {
        Some(("partition", number)) if number.parse() == Ok(partition.0) => Ok(above),
        Some(_) => Err(last),
        None => Ok(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_topic_partition_and_first_offset() {
        let name = |topic: &str, partition, first| {
            Named::Values(Name { topic: topic.to_owned(), partition: Partition(partition), first: Offset(first) })
        };
        let cases = [
            ("mastodon-topic+0+0000001000.snappy.parquet", name("mastodon-topic", 0, 1000)),
            ("mastodon-topic+12+0000000000.parquet", name("mastodon-topic", 12, 0)),
            ("a.b_c-d+1+12345678901.zstd.parquet", name("a.b_c-d", 1, 12_345_678_901)),
            ("t+2147483647+9223372036854775806.br.parquet", name("t", i32::MAX.unsigned_abs(), OFFSETS_END - 1)),
            ("t+0+0000000000.keys.snappy.parquet", Named::Beside),
            ("t+0+0000000000.headers.parquet", Named::Beside),
            ("t+0+0000000000.keys.gz.parquet", Named::Beside),
            ("keys.headers+0+0000000000.parquet", name("keys.headers", 0, 0)),
            ("mastodon-topic+0+0000001000.avro", Named::Other),
            ("mastodon-topic+0+0000001000.snappy.parquet.tmp", Named::Other),
            ("mastodon-topic+0.parquet", Named::Other),
            ("+0+1.parquet", Named::Other),
            ("t+-1+1.parquet", Named::Other),
            ("t+0+x1.parquet", Named::Other),
            ("t+0+.parquet", Named::Other),
            ("t+0+1+2.parquet", Named::Other),
            ("t+0+-1.parquet", Named::Other),
            ("t+4294967295+1.parquet", Named::Beyond),
            ("t+2147483648+1.parquet", Named::Beyond),
            ("t+0+9223372036854775807.parquet", Named::Beyond),
            ("t+0+9223372036854775808.parquet", Named::Beyond),
            ("t+0+18446744073709551615.parquet", Named::Beyond),
            ("t+0+00000000000000000000000000000000000018446744073709551616.parquet", Named::Beyond),
            ("t+0+00000000000000000000000000000000000000000000000000000000007.parquet", name("t", 0, 7)),
            ("t+99999999999999999999999999+7.parquet", Named::Beyond),
            ("part-0000.parquet", Named::Other),
        ];
        for (file, expected) in cases {
            assert_eq!(Named::parse(file), expected, "{file}");
        }
    }

    #[test]
    fn a_topics_folder_is_the_one_above_its_partitions() {
        let cases = [
            ("/lake/topics/t/partition=3", Ok("/lake/topics/t")),
            ("s3://b/topics/t/partition=3", Ok("s3://b/topics/t")),
            ("/lake/copy", Ok("/lake/copy")),
            ("/lake/partition=4", Err("partition=4")),
            ("/lake/t/year=2023/month=02", Err("month=02")),
        ];
        for (folder, expected) in cases {
            assert_eq!(topic_folder(folder, Partition(3)), expected, "{folder}");
        }
    }
}
