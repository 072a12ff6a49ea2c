//! A topic as the cluster describes it.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::client::{Client, ClientContext};

use super::{Owned, Refusal, asked, text};

/// A topic as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Its id, made when it was created.
    pub(crate) id: TopicId,
    pub(crate) partitions: u32,
}

/// A topic's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TopicId(u128);

impl TopicId {
    /// Writes the id as Kafka's own tools do: 22 characters of base64 for URLs.
    pub(crate) fn for_urls(self) -> String {
        self.base64(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    }

    /// Writes the id as librdkafka does: 22 characters of common base64.
    pub(crate) fn of_librdkafka(self) -> String {
        self.base64(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    }

    fn base64(self, alphabet: &[u8; 64]) -> String {
        let sextet = |nth: u32| if nth < 21 { self.0 >> (122 - 6 * nth) } else { self.0 << 4 };
        (0..22).map(|nth| char::from(alphabet[(sextet(nth) & 63) as usize])).collect()
    }
}

/// Asks for the topic; `None` where there is none of that name. Blocks, at most for about `patience`.
pub(crate) fn describe<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    patience: Duration,
) -> Result<Option<Topic>, Refusal> {
    let name = CString::new(topic).map_err(|_| Refusal::because("the topic's name has a zero byte"))?;
    let mut names = [name.as_ptr()];
    // SAFETY: the collection is owned by its guard, which lives until the question is sent; librdkafka copies it. What is read of
    // the event is read before it goes.
    unsafe {
        let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned(topics, rd_kafka_TopicCollection_destroy);
        let event =
            asked(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, patience, |rk, options, queue| {
                rd_kafka_DescribeTopics(rk, topics.0, options, queue);
            })?;
        let result = rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let found = rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if result.is_null() || found.is_null() || count != 1 {
            return Err(Refusal::because("an answer about another topic"));
        }
        let found = *found;
        let error = rd_kafka_TopicDescription_error(found);
        match rd_kafka_error_code(error) {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => return Ok(None),
            code => return Err(Refusal { code: code.into(), why: text(rd_kafka_error_string(error)) }),
        }
        let id = rd_kafka_TopicDescription_topic_id(found);
        let (most, least) = (rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id));
        let mut partitions = 0;
        rd_kafka_TopicDescription_partitions(found, &mut partitions);
        let id = TopicId((u128::from(most as u64) << 64) | u128::from(least as u64));
        Ok(Some(Topic { id, partitions: u32::try_from(partitions).unwrap_or(u32::MAX) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_kafka_writes_it() {
        assert_eq!(TopicId(0).for_urls(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(TopicId(u128::MAX).for_urls(), "_____________________w");
        assert_eq!(TopicId(u128::MAX).of_librdkafka(), "/////////////////////w");
        assert_eq!(TopicId(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f).for_urls(), "AAECAwQFBgcICQoLDA0ODw");
    }
}
