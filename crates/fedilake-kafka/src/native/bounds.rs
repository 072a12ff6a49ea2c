//! Where partitions begin and end.

use std::collections::BTreeMap;
use std::ffi::{CString, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::client::{Client, ClientContext};

use super::{Owned, Refusal, asked, text};

/// Returns the first offset of each partition and the offset that its next record gets, whether or not a transaction is open. Blocks,
/// at most for about twice `patience`.
pub(crate) fn bounds<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partitions: &[u32],
    patience: Duration,
) -> Result<BTreeMap<u32, (u64, u64)>, Refusal> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    // The starts first: what the log lets go of meanwhile lies below the ends.
    let starts = offsets(client, topic, partitions, rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST, patience)?;
    let ends = offsets(client, topic, partitions, rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST, patience)?;
    let both = |partition: &u32| Some((*partition, (*starts.get(partition)?, *ends.get(partition)?)));
    let bounds: BTreeMap<_, _> = partitions.iter().filter_map(both).collect();
    if bounds.len() < partitions.len() {
        Err(Refusal::because("an answer without some partitions"))
    } else {
        Ok(bounds)
    }
}

fn offsets<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partitions: &[u32],
    wanted: rd_kafka_OffsetSpec_t,
    patience: Duration,
) -> Result<BTreeMap<u32, u64>, Refusal> {
    let name = CString::new(topic).map_err(|_| Refusal::because("the topic's name has a zero byte"))?;
    // SAFETY: the list is owned by its guard, which lives until the question is sent; librdkafka copies it.
    let event = unsafe {
        let list = rd_kafka_topic_partition_list_new(c_int::try_from(partitions.len()).unwrap_or(0));
        let list = Owned(list, rd_kafka_topic_partition_list_destroy);
        for partition in partitions {
            let number = i32::try_from(*partition)
                .map_err(|_| Refusal::because(&format!("{partition} is no partition's number")))?;
            (*rd_kafka_topic_partition_list_add(list.0, name.as_ptr(), number)).offset = wanted as i64;
        }
        asked(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, patience, |rk, options, queue| {
            rd_kafka_ListOffsets(rk, list.0, options, queue);
        })?
    };
    let mut offsets = BTreeMap::new();
    // SAFETY: what is read of the event is read before it goes.
    unsafe {
        let result = rd_kafka_event_ListOffsets_result(event.0);
        let mut count = 0;
        let found =
            if result.is_null() { ptr::null_mut() } else { rd_kafka_ListOffsets_result_infos(result, &mut count) };
        for nth in 0..if found.is_null() { 0 } else { count } {
            let &rd_kafka_topic_partition_t { partition, offset, err, .. } =
                &*rd_kafka_ListOffsetsResultInfo_topic_partition(*found.add(nth));
            if err != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(Refusal { code: err.into(), why: text(rd_kafka_err2str(err)) });
            }
            if let (Ok(partition), Ok(offset)) = (u32::try_from(partition), u64::try_from(offset)) {
                offsets.insert(partition, offset);
            }
        }
    }
    Ok(offsets)
}
