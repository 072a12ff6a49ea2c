//! HTML → plain text, as a person reads it.
//!
//! - A line feed for each `br`; a blank line between paragraphs (`p`, `blockquote`, `pre`, headings, lists) and a line
//!   feed between other blocks (`li`, `div`, …).
//! - White space stays as the author wrote it (Mastodon shows it with `white-space: pre-wrap`), but at the edges of a
//!   block outside `pre` it is layout and is dropped.
//! - Character references are decoded. `.invisible` spans are a part of their URL and stay; the ellipsis of a shortened
//!   link is CSS and never was text. Custom emoji stay as `:shortcode:`; one that came as an image is its alternative text.
//!   What stands in `script`, `style` and the like never is text.
//! - An element of the class `quote-inline`, a `p` of Mastodon or a `span` of others, is a fallback for software without quotes:
//!   dropped when the quote itself is known.
//!
//! Blocks open and close as in the HTML standard's tree construction, so that the text of unclosed and crossed tags is
//! that of a browser's tree. Beyond it are tables, `select`, `svg`, `math`, `template`, headings within headings and blocks
//! within `ruby`: servers strip these; their text is kept in document order.

mod block;
mod flow;
mod scan;
mod tokens;

use flow::Flow;

/// What a content says and where it points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The plain text.
    pub text: String,
    /// The http and https URLs of links that are neither mentions nor hashtags; their hosts in one spelling, the rest as given; each once, in order.
    pub links: Vec<String>,
}

/// The text of `html`. `quote_is_set` says that the post's quote is known by other means. Never fails: any input is HTML.
pub fn from_html(html: &str, quote_is_set: bool) -> Text {
    let mut flow = Flow::new(html.len(), quote_is_set);
    if !scan::scan(html, &mut flow) {
        flow = Flow::new(html.len(), quote_is_set);
        tokens::tokenize(html, &mut flow);
    }
    flow.finish()
}
