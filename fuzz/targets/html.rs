//! HTML → text: as a second implementation has it, never much longer than the HTML, and text that is written as HTML is read as it was.
//!
//! An input is both: HTML itself, and a list of pieces of the HTML that servers send, which may stand in any order, unclosed and crossed.
#![no_main]

use fedilake_fuzz::{seed, statuses};
use fedilake_model::text::from_html;
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/fedilake-model/tests/it/html_reference.rs"]
mod html_reference;

fuzz_target!(init: seed(seeds), |input: &[u8]| {
    let html = String::from_utf8_lossy(input);
    for html in [&*html, &of_pieces(input)] {
        for quote_is_set in [false, true] {
            let text = from_html(html, quote_is_set).text;
            assert!(text.len() <= 2 * html.len(), "{} bytes of {}", text.len(), html.len());
            assert_eq!(from_html(&format!("<pre>\n{}</pre>", escaped(&text)), false).text, text);
        }
    }
    let html = of_pieces(input);
    for quote_is_set in [false, true] {
        assert_eq!(from_html(&html, quote_is_set).text, html_reference::text(&html, quote_is_set), "{html}");
    }
});

/// The bytes as pieces of HTML; those of small letters and blanks stand for themselves.
fn of_pieces(input: &[u8]) -> String {
    let piece = |byte: &u8| match byte {
        b'a'..=b'z' | b' ' => (*byte as char).to_string(),
        _ => PIECES[usize::from(*byte) % PIECES.len()].to_owned(),
    };
    input.iter().take(400).map(piece).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\r', "&#13;")
}

/// Those that `text`'s reference covers.
const PIECES: &[&str] = &[
    "<br>",
    "<br/>",
    "</br>",
    "<hr>",
    "<!-- c -->",
    "<script>x<p>y</script>",
    "<style>p</style>",
    "<p>",
    "</p>",
    "<li>",
    "</li>",
    "<ul>",
    "</ul>",
    "<ol>",
    "</ol>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<a href=x>",
    "</a>",
    "<span>",
    "</span>",
    "<span class=\"invisible\">",
    "<div>",
    "</div>",
    "<blockquote>",
    "</blockquote>",
    "<pre>",
    "<pre>\n",
    "</pre>",
    "<code>",
    "</code>",
    "<del>",
    "</del>",
    "<em>",
    "</em>",
    "<dl>",
    "</dl>",
    "<dd>",
    "<dt>",
    "</dd>",
    "\n",
    "\t",
    "&amp;",
    "&lt;",
    "&#39;",
    "&nbsp;",
    "&eacute",
    "&#10;",
    "&",
    "&x",
    "<",
    "é",
    "漢",
    "😀",
    "<p class=\"quote-inline\">",
    "<div class=\"quote-inline\">",
    "<small class='quote-inline'>RE: z</small>",
    "<img class=emoji alt=':blobcat:'>",
    "<x-y>",
    "</x-y>",
];

fn seeds() -> Vec<String> {
    let statuses = statuses();
    let htmls = statuses.iter().flat_map(|status| [&status["content"], &status["account"]["note"]]);
    htmls.filter_map(|html| html.as_str()).filter(|html| !html.is_empty()).map(str::to_owned).collect()
}
