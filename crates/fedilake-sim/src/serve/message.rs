//! A message from a server to its streams.

use std::sync::OnceLock;

use bytes::Bytes;

use super::live_post::LivePost;
use crate::content::status::Facts;

/// The events of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MessageKind {
    Update,
    Edit,
    Delete,
    /// Bytes as a caller gave them, for every stream of server-sent events.
    Raw,
}

impl MessageKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            MessageKind::Update => "update",
            MessageKind::Edit => "status.update",
            MessageKind::Delete => "delete",
            MessageKind::Raw => "",
        }
    }
}

/// An event with its payload: a status as JSON, or the bare id of a post that is gone.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    /// `None` for raw bytes.
    pub(crate) subject: Option<Subject>,
    block: Bytes,
    quoted: OnceLock<String>,
}

/// The post of a message.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) post: LivePost,
    pub(crate) facts: Facts,
    /// The author is a member of the server that says so.
    pub(crate) local: bool,
}

impl Message {
    /// `write_payload` appends the payload and returns facts of the post.
    pub(crate) fn new(
        kind: MessageKind,
        post: LivePost,
        local: bool,
        write_payload: impl FnOnce(&mut Vec<u8>) -> Facts,
    ) -> Message {
        let mut block = format!("event: {}\ndata: ", kind.as_str()).into_bytes();
        block.reserve(if kind == MessageKind::Delete { 24 } else { 4_096 });
        let facts = write_payload(&mut block);
        block.extend_from_slice(b"\n\n");
        let subject = Some(Subject { post, facts, local });
        Message { kind, subject, block: block.into(), quoted: OnceLock::new() }
    }

    /// Bytes that are sent as they are.
    pub(crate) fn raw(bytes: Bytes) -> Message {
        Message { kind: MessageKind::Raw, subject: None, block: bytes, quoted: OnceLock::new() }
    }

    /// The whole SSE block.
    pub(crate) fn block(&self) -> &Bytes {
        &self.block
    }

    /// The rest of a WebSocket frame, behind its `stream`: `"event":"update","payload":"{…}"}`. The payload is a text within JSON.
    pub(crate) fn quoted(&self) -> &str {
        self.quoted.get_or_init(|| {
            let start = "event: ".len() + self.kind.as_str().len() + "\ndata: ".len();
            let payload = String::from_utf8_lossy(&self.block[start..self.block.len() - 2]);
            let payload = serde_json::to_string(&payload).expect("a text is JSON");
            format!("\"event\":\"{}\",\"payload\":{payload}}}", self.kind.as_str())
        })
    }
}
