//! Names of the files that Kafka Connect's sink writes: `mastodon-topic+0+0000001000.snappy.parquet`.

use fedilake_log::{Offset, Partition};

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The topic; no topic's name has a `+`.
    pub(super) topic: String,
    /// The partition of the topic.
    pub(super) partition: Partition,
    /// The offset of the file's first row.
    pub(super) first: Offset,
}

impl Name {
    /// Reads the last part of a path; none for a file that the sink does not write.
    pub(super) fn parse(file: &str) -> Option<Name> {
        let mut parts = file.strip_suffix(".parquet")?.split('+');
        let (topic, partition, first) = (parts.next()?, parts.next()?, parts.next()?);
        // Behind the offset stands the codec: `.snappy`.
        let first = first.split('.').next()?;
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if topic.is_empty() || parts.next().is_some() || !is_number(partition) || !is_number(first) {
            return None;
        }
        // The lake counts in signed integers.
        let partition: i32 = partition.parse().ok()?;
        let first: i64 = first.parse().ok()?;
        Some(Name {
            topic: topic.to_owned(),
            partition: Partition(partition.unsigned_abs()),
            first: Offset(first.unsigned_abs()),
        })
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
            Some(Name { topic: topic.to_owned(), partition: Partition(partition), first: Offset(first) })
        };
        let cases = [
            ("mastodon-topic+0+0000001000.snappy.parquet", name("mastodon-topic", 0, 1000)),
            ("mastodon-topic+12+0000000000.parquet", name("mastodon-topic", 12, 0)),
            ("a.b_c-d+1+12345678901.zstd.parquet", name("a.b_c-d", 1, 12_345_678_901)),
            ("mastodon-topic+0+0000001000.avro", None),
            ("mastodon-topic+0+0000001000.snappy.parquet.tmp", None),
            ("mastodon-topic+0.parquet", None),
            ("+0+1.parquet", None),
            ("t+-1+1.parquet", None),
            ("t+0+x1.parquet", None),
            ("t+0+.parquet", None),
            ("t+0+1+2.parquet", None),
            ("t+4294967295+1.parquet", None),
            ("t+0+18446744073709551615.parquet", None),
            ("part-0000.parquet", None),
        ];
        for (file, expected) in cases {
            assert_eq!(Name::parse(file), expected, "{file}");
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
