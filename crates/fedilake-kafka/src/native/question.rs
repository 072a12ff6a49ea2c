//! A question to the brokers, and the reason for which it was not answered.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka::bindings::*;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Owned, text};

/// The reason for which there was no answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) why: String,
}

impl Refusal {
    pub(crate) fn because(why: &str) -> Refusal {
        Refusal { code: RDKafkaErrorCode::Fail, why: why.to_owned() }
    }

    /// True if the client or the partition's leader does not know the partition.
    pub(crate) fn is_of_unknown_partition(&self) -> bool {
        matches!(self.code, RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition)
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> String {
        refusal.why
    }
}

impl From<KafkaError> for Refusal {
    fn from(error: KafkaError) -> Refusal {
        Refusal { code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail), why: error.to_string() }
    }
}

/// Sends a question of the kind `operation`, and waits for its answer: an event of that kind without an error. Blocks, at most for about
/// `patience`. `send` gets the client, the question's options and the queue for its answer, all of which live until it returns.
pub(super) fn asked<C: ClientContext>(
    client: &Client<C>,
    operation: rd_kafka_admin_op_t,
    patience: Duration,
    send: impl FnOnce(*mut rd_kafka_t, *mut rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
) -> Result<Owned<rd_kafka_event_t>, Refusal> {
    let timeout_ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    let rk = client.native_ptr();
    let mut why = [0; 512];
    // SAFETY: `rk` lives as long as `client`. Each pointer that a `_new` or a `poll` gave is owned by its guard.
    unsafe {
        let options = Owned(rd_kafka_AdminOptions_new(rk, operation), rd_kafka_AdminOptions_destroy);
        rd_kafka_AdminOptions_set_request_timeout(options.0, timeout_ms, why.as_mut_ptr(), why.len());
        let queue = Owned(rd_kafka_queue_new(rk), rd_kafka_queue_destroy);
        send(rk, options.0, queue.0);
        let event = rd_kafka_queue_poll(queue.0, timeout_ms.saturating_add(1_000));
        if event.is_null() {
            return Err(Refusal::because("no answer in time"));
        }
        let event = Owned(event, rd_kafka_event_destroy);
        match rd_kafka_event_error(event.0) {
            rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
            code => Err(Refusal { code: code.into(), why: text(rd_kafka_event_error_string(event.0)) }),
        }
    }
}
