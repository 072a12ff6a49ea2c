//! Any HTML → tags and characters, by the HTML standard's tokenizer.

use std::borrow::Cow;
use std::convert::Infallible;

use html5gum::{Emitter, Error, State, Tokenizer};

use super::flow::{Attributes, Flow};

pub(super) fn tokenize(html: &str, flow: &mut Flow) {
    // Reading from memory cannot fail.
    let Ok(()) = Tokenizer::new_with_emitter(html, ToFlow::new(flow)).finish();
}

/// Hands tags and runs of characters to a [`Flow`] as the tokenizer finds their parts.
struct ToFlow<'a> {
    flow: &'a mut Flow,
    characters: Vec<u8>,
    is_start: bool,
    tag: Vec<u8>,
    last_start_tag: Vec<u8>,
    attribute: Attribute,
    value: Vec<u8>,
    class: Option<Vec<u8>>,
    rel: Option<Vec<u8>>,
    href: Option<Vec<u8>>,
    alt: Option<Vec<u8>>,
}

#[derive(Default)]
struct Attribute {
    name: Vec<u8>,
    is_open: bool,
}

impl<'a> ToFlow<'a> {
    fn new(flow: &'a mut Flow) -> ToFlow<'a> {
        ToFlow {
            flow,
            characters: Vec::new(),
            is_start: false,
            tag: Vec::new(),
            last_start_tag: Vec::new(),
            attribute: Attribute::default(),
            value: Vec::new(),
            class: None,
            rel: None,
            href: None,
            alt: None,
        }
    }

    fn end_characters(&mut self) {
        if self.characters.is_empty() {
            return;
        }
        // HTML drops NUL from text, but NUL still is a token, so a line feed after it is not the first one.
        let characters = String::from_utf8_lossy(&self.characters);
        match characters.contains('\0') {
            true => characters.split('\0').for_each(|part| self.flow.characters(part)),
            false => self.flow.characters(&characters),
        }
        self.characters.clear();
    }

    /// If a tag has several attributes of one name, the first counts.
    fn end_attribute(&mut self) {
        if !std::mem::take(&mut self.attribute.is_open) {
            return;
        }
        let slot = match self.attribute.name.as_slice() {
            b"class" => &mut self.class,
            b"rel" => &mut self.rel,
            b"href" => &mut self.href,
            b"alt" => &mut self.alt,
            _ => return,
        };
        if slot.is_none() {
            *slot = Some(std::mem::take(&mut self.value));
        }
    }

    fn start_tag(&mut self) {
        let text = |value: &'_ Option<Vec<u8>>| -> String {
            value.as_deref().map_or(Cow::Borrowed(""), String::from_utf8_lossy).into_owned()
        };
        let (class, rel) = (text(&self.class), text(&self.rel));
        let (href, alt) = (text(&self.href), text(&self.alt));
        self.flow.start(&self.tag, &Attributes { class: &class, rel: &rel, href: &href, alt: &alt });
    }
}

impl Emitter for ToFlow<'_> {
    type Token = Infallible;

    fn set_last_start_tag(&mut self, tag: Option<&[u8]>) {
        self.last_start_tag.clear();
        self.last_start_tag.extend(tag.unwrap_or_default());
    }

    fn emit_eof(&mut self) {
        self.end_characters();
    }

    fn emit_error(&mut self, _: Error) {}

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn pop_token(&mut self) -> Option<Infallible> {
        None
    }

    fn emit_string(&mut self, characters: &[u8]) {
        self.characters.extend(characters);
    }

    fn init_start_tag(&mut self) {
        self.tag.clear();
        self.is_start = true;
        self.attribute.is_open = false;
        (self.class, self.rel, self.href, self.alt) = (None, None, None, None);
    }

    fn init_end_tag(&mut self) {
        self.init_start_tag();
        self.is_start = false;
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.end_characters();
        self.end_attribute();
        if !self.is_start {
            self.last_start_tag.clear();
            self.flow.end(&self.tag);
            return None;
        }
        self.start_tag();
        self.last_start_tag.clone_from(&self.tag);
        match self.tag.as_slice() {
            b"textarea" | b"title" => Some(State::RcData),
            b"script" => Some(State::ScriptData),
            b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" | b"noscript" => Some(State::RawText),
            b"plaintext" => Some(State::PlainText),
            _ => None,
        }
    }

    fn init_comment(&mut self) {
        self.end_characters();
    }

    fn emit_current_comment(&mut self) {
        self.flow.comment();
    }

    fn init_doctype(&mut self) {
        self.end_characters();
    }

    fn emit_current_doctype(&mut self) {
        self.flow.comment();
    }

    fn set_self_closing(&mut self) {}

    fn set_force_quirks(&mut self) {}

    fn push_tag_name(&mut self, name: &[u8]) {
        self.tag.extend(name);
    }

    fn push_comment(&mut self, _: &[u8]) {}

    fn push_doctype_name(&mut self, _: &[u8]) {}

    fn init_attribute(&mut self) {
        self.end_attribute();
        self.attribute.name.clear();
        self.attribute.is_open = true;
        self.value.clear();
    }

    fn push_attribute_name(&mut self, name: &[u8]) {
        self.attribute.name.extend(name);
    }

    fn push_attribute_value(&mut self, value: &[u8]) {
        self.value.extend(value);
    }

    fn set_doctype_public_identifier(&mut self, _: &[u8]) {}

    fn set_doctype_system_identifier(&mut self, _: &[u8]) {}

    fn push_doctype_public_identifier(&mut self, _: &[u8]) {}

    fn push_doctype_system_identifier(&mut self, _: &[u8]) {}

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        !self.is_start && !self.last_start_tag.is_empty() && self.last_start_tag == self.tag
    }
}
