//! How much of a post is kept.
//!
//! Whatever stands in a status was written by a stranger, and what is stored is stored for good, in several places, by everybody
//! who copies it. So each column has a cap, far above what people write. A post of which every column is at its cap is a record
//! of less than a megabyte, which is what a Kafka topic takes without being asked.

use crate::{Flaw, Flaws, Post, RejectedReason};

/// How much of a column is kept, in bytes of UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// A post with a longer one is rejected: cut, it would be another's.
    Reject(usize),
    /// A longer one is left out: cut, it would be something else.
    Drop(usize),
    /// A longer one is cut at the end of a character.
    Cut(usize),
    /// So many elements are kept, each with its own cap, which is never `Reject`.
    Each(usize, &'static Cap),
}

/// The post's id, and that of the post which it answers.
pub(crate) const ID: usize = 256;
/// A name of an account with its domain.
pub(crate) const ACCT: usize = 512;
/// A uri or url.
pub(crate) const URL: usize = 2_048;

/// The cap of a column; `None` for one that has no room for more than is stated, as numbers and our own words.
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
    /// The post within the caps of its columns, its flaws among [`Post::flaws`].
    ///
    /// Control characters are no part of names, addresses and tags: there they are left out, in what tells posts and authors
    /// apart they are refused. Texts keep them but NUL, which many readers of texts take for the end.
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
    // Of what is not ASCII only what begins with 0xC2 can be one: few texts have to be looked at twice.
    let may_be = |byte: u8| byte < 0x20 || byte == 0x7f || byte == 0xc2;
    text.bytes().any(may_be) && text.chars().any(char::is_control)
}

fn remove_control(text: &mut String) {
    if has_control(text) {
        text.retain(|c| !c.is_control());
    }
}

/// Leaves out what is longer than the column's cap, or has control characters.
fn drop_long(value: &mut Option<String>, column: &str, flaw: Flaw, flaws: &mut Flaws) {
    let Some(Cap::Drop(bytes_max)) = of_column(column) else { return };
    if value.as_ref().is_some_and(|text| text.len() > bytes_max || has_control(text)) {
        *value = None;
        flaws.add(flaw);
    }
}

/// Cuts what is longer than the column's cap; true if it was.
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

/// Holds a list to its cap; true if something of it is lost.
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
