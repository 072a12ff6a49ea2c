//! For this crate's tests: the plain text of a post's content, found by other means than the ones that wrote it.

/// The text of Mastodon's HTML: `<br />` is a newline, paragraphs are a blank line apart, entities are decoded.
pub(crate) fn plain_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html.replace("</p><p>", "\n\n").replace("<br />", "\n");
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>').expect("a tag is closed");
        text.push_str(&rest[..open]);
        rest = rest.split_off(close + 1);
    }
    text.push_str(&rest);
    text.replace("&#39;", "'").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
