//! HTML → plain text, as a person reads it.
//!
//! - `br` becomes a line feed. Between paragraphs (`p`, `blockquote`, `pre`, headings, lists) there is a blank line,
//!   and between other blocks (`li`, `div`, …) a line feed.
//! - White space stays as the author wrote it (Mastodon shows it with `white-space: pre-wrap`), except at the edges
//!   of a block outside `pre`, where it is layout and is dropped.
//! - Character references are decoded. `.invisible` spans are a part of their URL and stay; the ellipsis of a
//!   shortened link is CSS and not text. Custom emoji stay as `:shortcode:`; an emoji sent as an image becomes its
//!   alternative text. The content of `script`, `style` and the like is dropped.
//! - An element of the class `quote-inline`, Mastodon's `p`, another program's `span` or any other that can have
//!   content, is a fallback for software without quotes: it is dropped if the quote itself is known.
//! - A link to a mentioned account or to a hashtag is no link: its class is `mention`, `h-card` or begins with `hashtag`,
//!   or its `rel` is `mention` or `tag`. The translation of a status also leaves out links to the pages that the status names.
//!
//! Blocks open and close as in the HTML standard's tree construction, so that the text of unclosed and crossed tags
//! is that of a browser's tree. Not covered are tables (beyond the quote fallbacks in them), `select`, `svg`, `math`, `template`, headings within headings
//! and blocks within `ruby`: servers strip these; their text is kept in document order.

mod block;
mod flow;
mod scan;
mod tokens;

use flow::Flow;

/// The text and links of a post's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The plain text.
    pub text: String,
    /// The http and https URLs of links that are neither mentions nor hashtags, each once, in order. Hosts are in
    /// their one spelling; the rest is unchanged.
    pub links: Vec<String>,
}

/// Reads the text of `html`. `quote_is_set` says that the post's quote is known by other means. Never fails: any
/// input is HTML.
pub fn from_html(html: &str, quote_is_set: bool) -> Text {
    read(html, || Flow::new(html.len(), quote_is_set))
}

/// The text of a profile's `html`, with a number sign before each link to a hashtag.
pub(crate) fn of_profile(html: &str) -> String {
    read(html, || Flow::with_hashtags_signed(html.len())).text
}

fn read(html: &str, new: impl Fn() -> Flow) -> Text {
    let mut flow = new();
    if !scan::scan(html, &mut flow) {
        flow = new();
        tokens::tokenize(html, &mut flow);
    }
    flow.finish()
}
