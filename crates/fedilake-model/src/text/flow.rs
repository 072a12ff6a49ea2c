//! Tags and characters → text: which blocks are open, where lines break, which white space counts.

use std::collections::HashSet;

use super::Text;
use super::block::Block;
use crate::domain;

/// Blocks nested deeper are text without structure, so that no input costs more than its length.
const DEPTH_MAX: usize = 512;

/// The attributes that matter, empty when absent.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) class: &'a str,
    pub(super) rel: &'a str,
    pub(super) href: &'a str,
}

pub(super) struct Flow {
    text: String,
    links: Vec<String>,
    quote_is_set: bool,
    open: Vec<Open>,
    /// How many of `open` keep white space.
    preformatted: usize,
    /// How many of `open` are fallbacks that are not text.
    dropped: usize,
    /// The element whose content never is text; only its own end tag ends it.
    hidden: bool,
    /// Line feeds owed before the next content.
    gap: usize,
    /// Nothing stands in the current block yet.
    at_block_start: bool,
    /// Below this length of `text` nothing is layout.
    kept: usize,
    /// HTML ignores a line feed right after `<pre>`.
    ignore_line_feed: bool,
}

struct Open {
    block: Block,
    dropped: bool,
}

impl Flow {
    pub(super) fn new(html_length: usize, quote_is_set: bool) -> Flow {
        Flow {
            text: String::with_capacity(html_length.min(4096)),
            links: Vec::new(),
            quote_is_set,
            open: Vec::new(),
            preformatted: 0,
            dropped: 0,
            hidden: false,
            gap: 0,
            at_block_start: true,
            kept: 0,
            ignore_line_feed: false,
        }
    }

    pub(super) fn start(&mut self, tag: &[u8], attributes: &Attributes<'_>) {
        self.ignore_line_feed = false;
        match tag {
            b"br" => self.line_feed(),
            b"a" => self.link(attributes),
            b"span" => {}
            b"hr" => {
                self.close_paragraph();
                self.break_block(2);
            }
            _ if is_hidden(tag) => self.hidden = true,
            _ if is_table_part(tag) => self.break_block(1),
            _ => {
                if let Some(block) = Block::of(tag) {
                    self.open_block(block, attributes);
                }
            }
        }
    }

    pub(super) fn end(&mut self, tag: &[u8]) {
        self.ignore_line_feed = false;
        match tag {
            b"br" => self.line_feed(),
            b"a" | b"span" => {}
            b"p" => {
                if !self.close_paragraph() {
                    self.break_block(2);
                }
            }
            _ if is_hidden(tag) => self.hidden = false,
            _ if is_table_part(tag) => self.break_block(1),
            _ => {
                if let Some(block) = Block::of(tag) {
                    self.close_block(block);
                }
            }
        }
    }

    pub(super) fn comment(&mut self) {
        self.ignore_line_feed = false;
    }

    pub(super) fn characters(&mut self, mut characters: &str) {
        if std::mem::take(&mut self.ignore_line_feed) {
            characters = characters.strip_prefix('\n').unwrap_or(characters);
        }
        if self.hidden || self.dropped > 0 {
            return;
        }
        if self.preformatted > 0 {
            if !characters.is_empty() {
                self.begin_content();
                self.text.push_str(characters);
                self.kept = self.text.len();
            }
            return;
        }
        if self.at_block_start {
            characters = characters.trim_start_matches(|c: char| c.is_ascii_whitespace());
            if characters.is_empty() {
                return;
            }
            self.begin_content();
        }
        self.text.push_str(characters);
    }

    pub(super) fn finish(mut self) -> Text {
        self.trim_block_end();
        if self.links.len() > 1 {
            let mut seen = HashSet::with_capacity(self.links.len());
            self.links.retain(|link| seen.insert(link.clone()));
        }
        Text { text: self.text, links: self.links }
    }

    fn line_feed(&mut self) {
        if self.hidden || self.dropped > 0 {
            return;
        }
        self.begin_content();
        self.text.push('\n');
        self.kept = self.text.len();
    }

    fn link(&mut self, attributes: &Attributes<'_>) {
        let is = |list: &str, word: &str| list.split_ascii_whitespace().any(|w| w.eq_ignore_ascii_case(word));
        if self.hidden
            || self.dropped > 0
            || is(attributes.class, "mention")
            || is(attributes.class, "hashtag")
            || is(attributes.rel, "tag")
        {
            return;
        }
        let url = attributes.href.trim();
        if domain::of_url(url).is_some() {
            self.links.push(url.to_owned());
        }
    }

    fn open_block(&mut self, block: Block, attributes: &Attributes<'_>) {
        match block {
            Block::Li => self.close_sibling(|open| open == Block::Li),
            Block::Term | Block::Definition => {
                self.close_sibling(|open| matches!(open, Block::Term | Block::Definition));
            }
            _ => {}
        }
        self.close_paragraph();
        if let (Block::Heading(_), Some(Open { block: Block::Heading(_), .. })) = (block, self.open.last()) {
            self.close_last();
        }
        self.break_block(block.gap());
        self.ignore_line_feed = matches!(block, Block::Pre | Block::Listing);
        if self.open.len() == DEPTH_MAX {
            return;
        }
        let dropped = self.quote_is_set
            && block == Block::P
            && attributes.class.split_ascii_whitespace().any(|class| class == "quote-inline");
        self.preformatted += usize::from(block.is_preformatted());
        self.dropped += usize::from(dropped);
        self.open.push(Open { block, dropped });
    }

    /// An end tag closes its block and all within it, if the block is open where the tag can see it.
    fn close_block(&mut self, block: Block) {
        let is_match = |open: Block| match (block, open) {
            (Block::Heading(_), Block::Heading(_)) => true,
            _ => block == open,
        };
        let hides = |open: Block| block == Block::Li && matches!(open, Block::Ul | Block::Ol);
        let Some(at) = self.open.iter().rposition(|o| is_match(o.block) || hides(o.block)) else { return };
        if hides(self.open[at].block) {
            return;
        }
        while self.open.len() > at {
            self.close_last();
        }
    }

    /// A new item ends the one before it, unless another block stands between.
    fn close_sibling(&mut self, is_sibling: impl Fn(Block) -> bool) {
        let passes = |open: Block| matches!(open, Block::Div | Block::Address | Block::P);
        let Some(at) = self.open.iter().rposition(|o| is_sibling(o.block) || !passes(o.block)) else { return };
        if !is_sibling(self.open[at].block) {
            return;
        }
        while self.open.len() > at {
            self.close_last();
        }
    }

    /// Every block ends an open paragraph, so a paragraph is the last of `open` or is not there.
    fn close_paragraph(&mut self) -> bool {
        let is_open = matches!(self.open.last(), Some(Open { block: Block::P, .. }));
        if is_open {
            self.close_last();
        }
        is_open
    }

    fn close_last(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.preformatted -= usize::from(open.block.is_preformatted());
        self.dropped -= usize::from(open.dropped);
        self.break_block(open.block.gap());
    }

    fn break_block(&mut self, gap: usize) {
        self.trim_block_end();
        self.gap = self.gap.max(gap);
        self.at_block_start = true;
    }

    fn trim_block_end(&mut self) {
        let layout = &self.text[self.kept..];
        let length = layout.trim_end_matches(|c: char| c.is_ascii_whitespace()).len();
        self.text.truncate(self.kept + length);
        self.kept = self.text.len();
    }

    fn begin_content(&mut self) {
        if !self.at_block_start {
            return;
        }
        if !self.text.is_empty() {
            self.text.extend(std::iter::repeat_n('\n', self.gap));
        }
        self.gap = 0;
        self.kept = self.text.len();
        self.at_block_start = false;
    }
}

/// Elements whose content the tokenizer takes raw and nobody reads.
fn is_hidden(tag: &[u8]) -> bool {
    matches!(tag, b"script" | b"style" | b"title" | b"textarea" | b"iframe" | b"noembed" | b"noframes" | b"noscript")
}

fn is_table_part(tag: &[u8]) -> bool {
    matches!(tag, b"table" | b"caption" | b"tr" | b"thead" | b"tbody" | b"tfoot")
}
