//! HTML → text: by cases, and against the reference.

use fedilake_model::text::from_html;
use proptest::prelude::*;

use crate::{corpus, html_reference};

fn check(html: &str, text: &str) {
    assert_eq!(from_html(html, false).text, text, "{html}");
    assert_eq!(html_reference::text(html, false), text, "the reference, {html}");
}

#[test]
fn a_line_feed_for_each_br_and_a_blank_line_between_paragraphs() {
    check("<p>one<br>two<br/>three<br />four</p><p>five</p>", "one\ntwo\nthree\nfour\n\nfive");
    check("<p>a<br></p><p><br>b</p>", "a\n\n\n\nb");
    check("<p>a<p>b", "a\n\nb");
    check("a</br>b</p>c", "a\nb\n\nc");
    check("<p></p><p>a</p><p> </p>\n<p>b</p>\n", "a\n\nb");
    check("<ul><li>a</li><li>b<ul><li>c</ul></ul>d", "a\nb\n\nc\n\nd");
    check("<ul><li>a<li>b<pre> c</ul> d", "a\nb\n\n c\n\nd");
    check("<div>a</div><div>b</div>", "a\nb");
    check("<blockquote><p>said</p></blockquote>so", "said\n\nso");
    check("", "");
}

#[test]
fn character_references_are_decoded_once() {
    check(
        "a &amp;amp; b &lt;p&gt; &#39;&quot;&apos;&nbsp;&copy;&#x1F600;&notit;&amp",
        "a &amp; b <p> '\"'\u{a0}©😀¬it;&",
    );
    check("AT&T & co &bogus; &#0;", "AT&T & co &bogus; \u{fffd}");
}

#[test]
fn white_space_counts_within_a_block_and_not_at_its_edges() {
    check("<p>  a  b\n c \t</p>\n  <p>d <b> e</b> </p>", "a  b\n c\n\nd  e");
    check("<pre>\n  a\n    b\n</pre>", "  a\n    b\n");
    check("<p>x</p><pre>  </pre>", "x\n\n  ");
    check("a <br> b", "a \n b");
    check("a\r\nb\rc", "a\nb\nc");
    check("\u{a0}a\u{3000}", "\u{a0}a\u{3000}");
}

#[test]
fn what_is_not_for_reading_is_not_text() {
    check("a<script>alert('<p>')</script>b<style>p{}</style>c<!-- d -->e<?php f ?>g<![CDATA[h]]>i", "abcegi");
    check("<title>t</title><textarea>u</textarea><noframes>v</noframes>w", "w");
    check("a<script>never closed <p>b", "a");
    check("nul\0byte", "nulbyte");
}

#[test]
fn a_url_is_whole_and_a_shortcode_stays() {
    let url = r#"<a href="https://example.org/a/b?c=d&amp;e" rel="nofollow noopener" target="_blank"><span class="invisible">https://</span><span class="ellipsis">example.org/a/</span><span class="invisible">b</span></a> :blobcat:"#;
    check(url, "https://example.org/a/b :blobcat:");
}

#[test]
fn an_emoji_image_is_its_alternative_text() {
    for (html, text) in [
        (r#"hi <img class="emoji" alt=":blobcat:" src="https://a.example/1.png">!"#, "hi :blobcat:!"),
        (r#"<p><img alt="😀" class="custom-emoji wide" draggable="false" /></p>"#, "😀"),
        (r#"a<IMG ALT=":-)" CLASS='smiley'>b"#, "a:-)b"),
        (r#"<img class="mk-emoji" alt=':a&amp;b:'>"#, ":a&b:"),
        (r#"x <img alt=":blob_cat@far.example:" src="1.png">"#, "x :blob_cat@far.example:"),
        (r#"a photo: <img alt="a cat on a mat" src="2.png">"#, "a photo:"),
        (r#"<img class="emoji" src="3.png">none"#, "none"),
    ] {
        assert_eq!(from_html(html, false).text, text, "{html}");
    }
}

#[test]
fn a_fallback_is_dropped_in_whatever_element_it_stands() {
    let link = r#"RE: <a href="https://example.org/1"><span>example.org</span>/1</a>"#;
    for (html, text) in [
        (format!(r#"<p>so true<span class="quote-inline"><br/><br/>{link}</span></p>"#), "so true"),
        (format!(r#"so <span class="x quote-inline"><span>{link}</span> <b>y</b></span>true"#), "so true"),
        (format!(r#"<div class="quote-inline"><p>{link}</p></div><p>so true</p>"#), "so true"),
        (format!(r#"<blockquote class='quote-inline'>{link}</blockquote>so true"#), "so true"),
        (format!(r#"<section class="quote-inline"><ul><li>{link}</ul></section>so true"#), "so true"),
        (format!(r#"<p>so<em class="quote-inline">{link}</em> true</p>"#), "so true"),
        (r#"<a class="quote-inline" href="https://example.org/1">RE: <b>x</b></a>so true"#.to_owned(), "so true"),
        (format!(r#"<b><span class="quote-inline">{link}</b>so true"#), "so true"),
        (format!(r#"<table class="quote-inline"><tr><td>{link}</td></tr></table>so true"#), "so true"),
        (format!(r#"<p>so true<table class="quote-inline"><tr><td><p>{link}</p><p>x</table>"#), "so true"),
        (format!(r#"<table class="quote-inline"><tr><td><table><tr><td>x</table>{link}</table>so true"#), "so true"),
        (format!(r#"<table><caption class="quote-inline">{link}</caption><tr><td>so true</table>"#), "so true"),
        (format!(r#"<table><tr class="quote-inline"><td>{link}<tr><td>so true</table>"#), "so true"),
        (format!(r#"<table><tr><td class="quote-inline"><div>{link}</td><td>so true</table>"#), "so true"),
        (format!(r#"<table><tr><th class="quote-inline"><b>{link}<td>so true</table>"#), "so true"),
        (format!(r#"<table><tbody class="quote-inline"><tr><td>{link}<tbody><tr><td>so true</table>"#), "so true"),
        (format!(r#"<table><thead class="quote-inline"><tr><td>{link}</thead><tr><td>so true</table>"#), "so true"),
        (format!(r#"<tfoot class="quote-inline">{link}</tfoot>so true"#), "so true"),
        (format!(r#"<tr class="quote-inline">{link}</tr><p>so true</p>"#), "so true"),
        (format!(r#"<colgroup class="quote-inline">{link}</colgroup><p>so true</p>"#), "so true"),
        (format!(r#"<small class="quote-inline">{link}</small>so true"#), "so true"),
        (format!(r#"<p><span class="quote-inline">{link}</p><p>so true</p>"#), "so true"),
        (r#"so <br class="quote-inline">true"#.to_owned(), "so \ntrue"),
    ] {
        let read = from_html(&html, true);
        assert_eq!((read.text.as_str(), read.links.len()), (text, 0), "{html}");
        assert!(from_html(&html, false).text.contains("RE:") || html.contains("<br class"), "{html}");
    }
}

#[test]
fn the_inline_fallback_of_a_quote_is_dropped_only_when_the_quote_is_set() {
    let html = r#"<p class="quote-inline">RE: <a href="https://example.org/1">example.org/1</a></p><p>so true</p>"#;
    assert_eq!(from_html(html, true).text, "so true");
    assert_eq!(from_html(html, true).links, [""; 0]);
    assert_eq!(from_html(html, false).text, "RE: example.org/1\n\nso true");
    assert_eq!(from_html(html, false).links, ["https://example.org/1"]);
}

#[test]
fn links_are_those_that_are_neither_mentions_nor_hashtags() {
    let html = r##"<p><span class="h-card"><a href="https://a.example/@x" class="u-url mention">@<span>x</span></a></span>
        <a href="https://b.example/tags/y" class="mention hashtag" rel="tag">#<span>y</span></a>
        <a href="https://b2.example/tags/y" rel="nofollow tag">#y</a>
        <a href="https://C.example/1?x=1&amp;y">1</a> <a href=" http://d.example:8080 ">2</a> <a href="http://d.example:8080">3</a>
        <a href="mailto:x@e.example">4</a> <a href='HTTPS://F.example/&#39;'>5</a> <a>6</a></p>"##;
    assert_eq!(
        from_html(html, false).links,
        ["https://c.example/1?x=1&y", "http://d.example:8080", "https://f.example/'"]
    );
}

#[test]
fn a_link_is_whole_and_its_host_has_one_spelling() {
    for (href, link) in [
        ("https://a.example/b?c=d&amp;e=f#g", "https://a.example/b?c=d&e=f#g"),
        ("https://a.example/?c&amp;lt;", "https://a.example/?c&lt;"),
        ("https://a.example/?c=&lt;d", "https://a.example/?c=<d"),
        ("HTTPS://A.example:443/B", "https://a.example/B"),
        ("http://bücher.example/é", "http://xn--bcher-kva.example/é"),
        ("https://ann:secret@a.example/", "https://a.example/"),
    ] {
        for html in [format!("<a href=\"{href}\">x</a>"), format!("<a href='{href}'>x</a>")] {
            assert_eq!(from_html(&html, false).links, [link], "{html}");
        }
    }
}

#[test]
fn a_million_tags_cost_no_more_than_their_length() {
    for tag in ["<div>", "<li>", "<ul><li>", "<p>", "<pre>", "<b>", "<blockquote><p>", "</p>", "<dl><dd><div>"] {
        let html = format!("{}x", tag.repeat(1_000_000 / tag.len()));
        assert_eq!(from_html(&html, false).text, "x", "{tag}");
    }
}

#[test]
fn every_text_of_the_corpus_is_that_of_the_reference() {
    let statuses = corpus::statuses();
    let htmls = statuses.iter().flat_map(|line| [&line.status["content"], &line.status["account"]["note"]]);
    let mut compared = 0;
    for html in htmls.filter_map(|html| html.as_str()) {
        for quote_is_set in [false, true] {
            assert_eq!(from_html(html, quote_is_set).text, html_reference::text(html, quote_is_set), "{html}");
            compared += 1;
        }
    }
    assert!(compared > 1400, "{compared}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_text_of_any_html_of_the_usual_tags_is_that_of_the_reference(html in html(), quote_is_set: bool) {
        prop_assert_eq!(from_html(&html, quote_is_set).text, html_reference::text(&html, quote_is_set));
    }

    #[test]
    fn the_text_of_plain_text_is_that_of_the_reference(html in "[ a-c<>&;#x0-9/\"'=!\\-\\n\\r\\x00\\x0cé😀]{0,40}") {
        prop_assert_eq!(from_html(&html, false).text, html_reference::text(&html, false));
    }

    #[test]
    fn no_input_panics(html in ".*", quote_is_set: bool) {
        from_html(&html, quote_is_set);
    }
}

/// HTML of the tags that occur in posts, some of them unclosed, stray or crossed.
fn html() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => "[a-z ]{1,8}",
        1 => "[ \\n\\t]{1,3}",
        1 => "[\\r\\x00\\x0c\u{a0}漢字é😀]{1,3}",
        1 => prop::sample::select(vec!["&amp;", "&lt;", "&#39;", "&quot;", "&nbsp;", "&eacute", "&#10;", "&#x2764;", "&", "&x", "<", "< ", "\n"])
            .prop_map(str::to_owned),
    ];
    let single = prop::sample::select(vec![
        "<br>",
        "<br/>",
        "<br />",
        "<BR>",
        "</br>",
        "<hr>",
        "<!-- c -->",
        "<!>",
        "<script>x<p>y</script>",
        "<style>p</style>",
        "<textarea>\n<p>t</textarea>",
        "<p>",
        "</p>",
        "<li>",
        "</li>",
        "<ul>",
        "</ul>",
        "</ol>",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<a href=x>",
        "</a>",
        "</span>",
        "<div>",
        "</div>",
        "</blockquote>",
        "<pre>",
        "<pre>\n",
        "</pre>",
        "<dd>",
        "<dt>",
        "</dd>",
        "<span class=\"quote-inline\"><br>RE: <b>x</b> <span>y</span></span>",
        "<small class='quote-inline'>RE: z</small>",
        "<img class=emoji alt=':blobcat:'>",
        "<p class=quote-inline>",
        "<p CLASS='x quote-inline'>",
        "<p class=\"a\" class=\"quote-inline\">",
        "<x-y>",
        "</x-y>",
    ]);
    let inline = prop::sample::select(vec![
        ("<span>", "</span>"),
        ("<span class=\"invisible\">", "</span>"),
        ("<a href=\"https://example.org/\" class=\"u-url mention\">", "</a>"),
        ("<a href='https://example.org/?a=b&amp;c'>", "</a >"),
        ("<b>", "</b>"),
        ("<strong>", "</strong>"),
        ("<em>", "</em>"),
        ("<code>", "</code>"),
        ("<del>", "</del>"),
        ("<U>", "</U>"),
    ]);
    let block = prop::sample::select(vec![
        ("<p>", "</p>"),
        ("<p dir=\"auto\">", "</p>"),
        ("<p class=\"quote-inline\">", "</p>"),
        ("<blockquote class=\"quote-inline\">", "</blockquote>"),
        ("<div class=\"quote-inline\">", "</div>"),
        ("<blockquote>", "</blockquote>"),
        ("<ul>", "</ul>"),
        ("<ol>", "</ol>"),
        ("<li>", "</li>"),
        ("<pre>", "</pre>"),
        ("<pre><code>", "</code></pre>"),
        ("<div>", "</div>"),
        ("<dl>", "</dl>"),
        ("<dt>", "</dt>"),
        ("<dd>", "</dd>"),
    ]);
    let ruby = ("[a-z漢]{1,2}", "[a-z]{1,3}")
        .prop_map(|(base, reading)| format!("<ruby>{base}<rp>(</rp><rt>{reading}</rt><rp>)</rp></ruby>"));
    let heading = "[a-z ]{0,4}".prop_map(|text| format!("<h2>{text}</h2>"));
    let leaf = prop_oneof![12 => text, 4 => single.prop_map(str::to_owned), 2 => ruby, 1 => heading];
    let tree = leaf.prop_recursive(6, 60, 6, move |inner| {
        let children = prop::collection::vec(inner, 0..6).prop_map(|children| children.concat());
        prop_oneof![inline.clone(), block.clone()]
            .prop_flat_map(move |(open, close)| children.clone().prop_map(move |inner| format!("{open}{inner}{close}")))
    });
    prop::collection::vec(tree, 0..8).prop_map(|nodes| nodes.concat())
}
