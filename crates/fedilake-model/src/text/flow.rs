//! Tags and characters → text: tracks the open blocks, line breaks and white space.

use std::collections::HashSet;

use super::Text;
use super::block::Block;
use crate::domain;

/// Deeper blocks are treated as text without structure, so that the cost of any input is proportional to its length.
const DEPTH_MAX: usize = 512;

/// The attributes that matter, empty when absent.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) class: &'a str,
    pub(super) rel: &'a str,
    pub(super) href: &'a str,
    pub(super) alt: &'a str,
}

impl Attributes<'_> {
    fn has_class(&self, class: &str) -> bool {
        has_word(self.class, class)
    }

    fn is_hashtag(&self) -> bool {
        let mut classes = self.class.split_ascii_whitespace();
        let is_named = |class: &str| class.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("hashtag"));
        classes.any(is_named) || has_word(self.rel, "tag")
    }

    fn is_mention(&self) -> bool {
        self.has_class("mention") || self.has_class("h-card") || has_word(self.rel, "mention")
    }

    /// True for the stand-in of a quote, meant for software without quotes.
    fn is_fallback(&self) -> bool {
        self.has_class("quote-inline")
    }

    /// True for an image that stands for a character: by its class, or by an alternative text such as `:blobcat:`.
    fn is_emoji(&self) -> bool {
        let class = self.class.to_ascii_lowercase();
        let is_shortcode = |alt: &str| {
            let name = alt.strip_prefix(':').and_then(|alt| alt.strip_suffix(':'));
            name.is_some_and(|name| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == ':'))
        };
        ["emoji", "smiley", "emoticon"].iter().any(|name| class.contains(name)) || is_shortcode(self.alt)
    }
}

fn has_word(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(word))
}

pub(super) struct Flow {
    text: String,
    links: Vec<String>,
    quote_is_set: bool,
    signs_hashtags: bool,
    open: Vec<Open>,
    /// How many blocks of `open` keep white space.
    preformatted: usize,
    /// How many open elements, in `open` and `inline`, are fallbacks whose text is dropped.
    dropped: usize,
    /// Open elements that are not blocks; filled only if a fallback may be among them.
    inline: Vec<Inline>,
    /// True within an element whose content is never text; only the element's own end tag ends it.
    hidden: bool,
    /// Line feeds to write before the next content.
    gap: usize,
    /// True if the current block has no content yet.
    at_block_start: bool,
    /// White space below this length of `text` is content, not layout.
    kept: usize,
    /// True right after `<pre>`, where HTML ignores a line feed.
    ignore_line_feed: bool,
}

struct Open {
    block: Block,
    dropped: bool,
}

/// An open element that is not a block, such as a `span`.
struct Inline {
    tag: Vec<u8>,
    /// The number of blocks open around it.
    level: usize,
    dropped: bool,
}

impl Inline {
    /// True for elements that HTML opens again after a block cut them off.
    fn is_formatting(&self) -> bool {
        is_formatting(&self.tag)
    }
}

impl Flow {
    pub(super) fn new(html_length: usize, quote_is_set: bool) -> Flow {
        Flow {
            text: String::with_capacity(html_length.min(4096)),
            links: Vec::new(),
            quote_is_set,
            signs_hashtags: false,
            open: Vec::new(),
            preformatted: 0,
            dropped: 0,
            inline: Vec::new(),
            hidden: false,
            gap: 0,
            at_block_start: true,
            kept: 0,
            ignore_line_feed: false,
        }
    }

    /// A flow that writes a number sign before each link to a hashtag.
    pub(super) fn with_hashtags_signed(html_length: usize) -> Flow {
        Flow { signs_hashtags: true, ..Flow::new(html_length, false) }
    }

    pub(super) fn start(&mut self, tag: &[u8], attributes: &Attributes<'_>) {
        self.ignore_line_feed = false;
        match tag {
            b"br" => self.line_feed(),
            b"a" | b"span" => self.open_inline(tag, attributes),
            b"img" if attributes.is_emoji() => self.characters(attributes.alt),
            b"hr" => {
                self.close_paragraph();
                self.break_block(2);
            }
            _ if is_hidden(tag) => self.hidden = true,
            _ if is_table_part(tag) => self.open_table_part(tag, attributes),
            _ => {
                if let Some(block) = Block::of(tag) {
                    self.open_block(block, attributes);
                } else {
                    self.open_inline(tag, attributes);
                }
            }
        }
    }

    pub(super) fn end(&mut self, tag: &[u8]) {
        self.ignore_line_feed = false;
        match tag {
            b"br" => self.line_feed(),
            b"a" | b"span" => self.close_inline(tag),
            b"p" => {
                if !self.close_paragraph() {
                    self.break_block(2);
                }
            }
            _ if is_hidden(tag) => self.hidden = false,
            _ if is_table_part(tag) => {
                self.end_table_parts(&[tag]);
                self.break_table(tag);
            }
            _ => {
                if let Some(block) = Block::of(tag) {
                    self.close_block(block);
                } else {
                    self.close_inline(tag);
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
        if self.hidden
            || self.dropped > 0
            || self.quote_is_set && attributes.is_fallback()
            || attributes.is_mention()
            || attributes.is_hashtag()
        {
            return;
        }
        self.links.extend(domain::with_host_spelled(attributes.href.trim()));
    }

    fn open_inline(&mut self, tag: &[u8], attributes: &Attributes<'_>) {
        if self.quote_is_set && tag == b"a" {
            // A link ends the link before it.
            self.close_formatting(tag);
        }
        if tag == b"a" {
            self.link(attributes);
            if self.signs_hashtags && attributes.is_hashtag() {
                self.characters("#");
            }
        }
        if self.quote_is_set && self.inline.len() < DEPTH_MAX && !is_void(tag) {
            let dropped = attributes.is_fallback();
            self.inline.push(Inline { tag: tag.to_owned(), level: self.open.len(), dropped });
            self.dropped += usize::from(dropped);
        }
    }

    /// Opens a table or a part of one. Its place in the tree matters only to a fallback.
    fn open_table_part(&mut self, tag: &[u8], attributes: &Attributes<'_>) {
        let is_dropped = self.quote_is_set && attributes.is_fallback();
        match tag {
            b"table" => {}
            b"td" | b"th" => self.end_table_parts(&[b"td", b"th", b"caption", b"colgroup"]),
            b"tr" => self.end_table_parts(&[b"tr", b"td", b"th", b"caption", b"colgroup"]),
            _ => self.end_table_parts(&[b"thead", b"tbody", b"tfoot", b"tr", b"td", b"th", b"caption", b"colgroup"]),
        }
        if is_dropped {
            // A paragraph that ended within would end the part too.
            self.close_paragraph();
        }
        self.break_table(tag);
        self.open_inline(tag, attributes);
    }

    fn break_table(&mut self, tag: &[u8]) {
        if !matches!(tag, b"td" | b"th" | b"colgroup") {
            self.break_block(1);
        }
    }

    /// Ends the outermost of the `ended` parts of the current table, with all that is open within.
    fn end_table_parts(&mut self, ended: &[&[u8]]) {
        let is_table = ended.contains(&b"table".as_slice());
        let table = self.inline.iter().rposition(|inline| inline.tag == b"table");
        let first = if is_table { table.unwrap_or(0) } else { table.map_or(0, |table| table + 1) };
        let within = self.inline.iter().skip(first);
        let Some(at) = within.map(|inline| inline.tag.as_slice()).position(|tag| ended.contains(&tag)) else { return };
        let at = first + at;
        let level = self.inline[at].level;
        while self.open.len() > level {
            self.close_last();
        }
        self.end_inline(|nth, _| nth >= at);
    }

    fn close_inline(&mut self, tag: &[u8]) {
        if is_formatting(tag) {
            return self.close_formatting(tag);
        }
        // The end tag does not reach beyond the block around it.
        let level = self.open.len();
        if let Some(at) = self.inline.iter().rposition(|inline| inline.tag == tag && inline.level == level) {
            self.end_inline(|nth, inline| nth == at || nth > at && !inline.is_formatting());
        }
    }

    /// Handles the end tag of a formatting element, which reaches beyond blocks and ends the other elements within
    /// it.
    fn close_formatting(&mut self, tag: &[u8]) {
        if let Some(at) = self.inline.iter().rposition(|inline| inline.tag == tag) {
            self.end_inline(|nth, inline| nth == at || nth > at && !inline.is_formatting());
        }
    }

    /// Ends the elements that are open within a block when the block closes.
    fn close_inline_within(&mut self) {
        let level = self.open.len();
        self.end_inline(|_, inline| inline.level > level && !inline.is_formatting());
        for inline in &mut self.inline {
            inline.level = inline.level.min(level);
        }
    }

    fn end_inline(&mut self, is_ended: impl Fn(usize, &Inline) -> bool) {
        let (mut nth, mut ended) = (0, 0);
        self.inline.retain(|inline| {
            let is_ended = is_ended(nth, inline);
            nth += 1;
            ended += usize::from(is_ended && inline.dropped);
            !is_ended
        });
        self.dropped -= ended;
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
        let dropped = self.quote_is_set && attributes.is_fallback();
        self.preformatted += usize::from(block.is_preformatted());
        self.dropped += usize::from(dropped);
        self.open.push(Open { block, dropped });
    }

    /// Handles an end tag: closes the block and everything within it, if the block is open within the tag's reach.
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

    /// Closes the item before a new one, unless another block stands between them.
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

    /// Closes an open paragraph; true if there was one. Every block ends an open paragraph, so only the last of
    /// `open` can be one.
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
        self.close_inline_within();
        self.break_block(open.block.gap());
    }

    fn break_block(&mut self, gap: usize) {
        if self.dropped > 0 {
            return;
        }
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

/// True for elements whose raw content nobody sees.
fn is_hidden(tag: &[u8]) -> bool {
    matches!(tag, b"script" | b"style" | b"title" | b"textarea" | b"iframe" | b"noembed" | b"noframes" | b"noscript")
}

fn is_table_part(tag: &[u8]) -> bool {
    matches!(tag, b"table" | b"caption" | b"colgroup" | b"tr" | b"thead" | b"tbody" | b"tfoot" | b"td" | b"th")
}

/// True for elements without content.
fn is_void(tag: &[u8]) -> bool {
    matches!(
        tag,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

fn is_formatting(tag: &[u8]) -> bool {
    matches!(
        tag,
        b"a" | b"b"
            | b"big"
            | b"code"
            | b"em"
            | b"font"
            | b"i"
            | b"nobr"
            | b"s"
            | b"small"
            | b"strike"
            | b"strong"
            | b"tt"
            | b"u"
    )
}
