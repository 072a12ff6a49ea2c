//! How much of a post is kept.
//!
//! Strangers write what a status holds, and every copy of the table keeps it for good. So each column has a cap, far
//! above what people write. A post with every column at its cap is a record of less than a megabyte, the default
//! limit of a Kafka topic.

use crate::{Flaw, Flaws, Post, RejectedReason};

/// How much of a column is kept, in bytes of UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Reject the post if the value is longer: a cut id, uri or name would be that of another post or author.
    Reject(usize),
    /// Leave a longer value out: a cut one would mean something else.
    Drop(usize),
    /// Cut a longer value at the end of a character.
    Cut(usize),
    /// Keep so many elements of a list, each with its own cap, which is never `Reject`.
    Each(usize, &'static Cap),
}

/// The id of the post, and of the post that it answers.
pub(crate) const ID: usize = 256;
/// An account's name with its domain.
pub(crate) const ACCT: usize = 512;
/// A uri or url.
pub(crate) const URL: usize = 2_048;

/// The cap of a column; `None` for columns that cannot be long: numbers, times and our own words.
pub fn of_column(name: &str) -> Option<Cap> {
    Some(match name {
        "id" => Cap::Reject(ID),
        "uri" => Cap::Reject(URL),
        "author" => Cap::Reject(ACCT),
        "url" | "quote_uri" => Cap::Drop(URL),
        "language" => Cap::Drop(64),
        "in_reply_to_id" => Cap::Drop(ID),
        "in_reply_to_author" => Cap::Drop(ACCT),
        "text" => Cap::Cut(256 << 10),
        "spoiler_text" => Cap::Cut(16 << 10),
        "app" => Cap::Cut(256),
        "visibility" => Cap::Cut(32),
        "tags" => Cap::Each(256, &Cap::Drop(256)),
        "mentions" => Cap::Each(256, &Cap::Drop(ACCT)),
        "links" => Cap::Each(128, &Cap::Cut(URL)),
        "media_types" => Cap::Each(64, &Cap::Cut(32)),
        _ => return None,
    })
}

impl Post {
    /// Applies the caps of all columns, and adds a flaw to [`Post::flaws`] for each value that was cut or left out.
    ///
    /// Control characters do not belong in names, addresses and tags: they make an id, uri or author invalid, and any
    /// other such value is left out. Texts keep control characters except NUL, which many readers take for the end of
    /// a text.
    pub fn within_caps(mut self) -> Result<Post, RejectedReason> {
        let is_name = |text: &str, bytes_max: usize| !has_control(text) && text.len() <= bytes_max && !text.is_empty();
        if !is_name(&self.id, ID) || self.id.contains(char::is_whitespace) {
            return Err(RejectedReason::BadId);
        }
        if !is_name(&self.uri, URL) {
            return Err(RejectedReason::BadUri);
        }
        if !is_name(&self.author, ACCT) {
            return Err(RejectedReason::BadAccount);
        }
        let flaws = &mut self.flaws;
        drop_long(&mut self.url, "url", Flaw::UrlDropped, flaws);
        drop_long(&mut self.quote_uri, "quote_uri", Flaw::QuoteUriDropped, flaws);
        drop_long(&mut self.language, "language", Flaw::LanguageDropped, flaws);
        drop_long(&mut self.in_reply_to_id, "in_reply_to_id", Flaw::InReplyToDropped, flaws);
        drop_long(&mut self.in_reply_to_author, "in_reply_to_author", Flaw::InReplyToDropped, flaws);
        if cut_long(&mut self.text, "text", Flaw::TextCut, flaws) {
            self.characters = self.characters.min(i32::try_from(self.text.chars().count()).unwrap_or(i32::MAX));
            self.words = self.words.min(i32::try_from(self.text.split_whitespace().count()).unwrap_or(i32::MAX));
        }
        cut_long(&mut self.spoiler_text, "spoiler_text", Flaw::SpoilerTextCut, flaws);
        for text in [&mut self.text, &mut self.spoiler_text] {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
        if let Some(app) = &mut self.app {
            remove_control(app);
            cut_long(app, "app", Flaw::AppCut, flaws);
        }
        remove_control(&mut self.visibility);
        cut_long(&mut self.visibility, "visibility", Flaw::VisibilityCut, flaws);
        for (list, name, flaw) in [
            (&mut self.tags, "tags", Flaw::TagsCut),
            (&mut self.mentions, "mentions", Flaw::MentionsCut),
            (&mut self.links, "links", Flaw::LinksCut),
            (&mut self.media_types, "media_types", Flaw::MediaTypesCut),
        ] {
            flaws.add_if(cap_list(list, of_column(name)), flaw);
        }
        Ok(self)
    }
}

fn has_control(text: &str) -> bool {
    // A control character beyond ASCII begins with the byte 0xC2, so few texts need a second look.
    let may_be = |byte: u8| byte < 0x20 || byte == 0x7f || byte == 0xc2;
    // Without a way out of the loop, many bytes are looked at in one step.
    text.bytes().fold(false, |found, byte| found | may_be(byte)) && text.chars().any(char::is_control)
}

fn remove_control(text: &mut String) {
    if has_control(text) {
        text.retain(|c| !c.is_control());
    }
}

/// Clears a value that is longer than the column's cap or has control characters.
fn drop_long(value: &mut Option<String>, column: &str, flaw: Flaw, flaws: &mut Flaws) {
    let Some(Cap::Drop(bytes_max)) = of_column(column) else { return };
    if value.as_ref().is_some_and(|text| text.len() > bytes_max || has_control(text)) {
        *value = None;
        flaws.add(flaw);
    }
}

/// Cuts a text to the column's cap; true if it was longer.
fn cut_long(text: &mut String, column: &str, flaw: Flaw, flaws: &mut Flaws) -> bool {
    let Some(Cap::Cut(bytes_max)) = of_column(column) else { return false };
    let is_long = text.len() > bytes_max;
    if is_long {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
        flaws.add(flaw);
    }
    is_long
}

/// Cuts a list to its cap; true if anything was lost.
fn cap_list(list: &mut Vec<String>, cap: Option<Cap>) -> bool {
    let Some(Cap::Each(items_max, each)) = cap else { return false };
    let mut is_capped = false;
    for element in list.iter_mut() {
        remove_control(element);
        match *each {
            Cap::Cut(bytes_max) if element.len() > bytes_max => {
                element.truncate(element.floor_char_boundary(bytes_max));
                is_capped = true;
            }
            Cap::Drop(bytes_max) if element.len() > bytes_max => {
                element.clear();
                is_capped = true;
            }
            _ => {}
        }
    }
    list.retain(|element| !element.is_empty());
    is_capped |= list.len() > items_max;
    list.truncate(items_max);
    list.shrink_to_fit();
    is_capped
}
