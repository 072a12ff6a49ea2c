//! A second implementation of [`fedilake_model::text`], over html5ever's tree, to compare with.

use html5ever::driver::ParseOpts;
use html5ever::tendril::TendrilSink;
use html5ever::{QualName, local_name, ns, parse_fragment};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// The text of `html` as a `body` would have it.
pub(crate) fn text(html: &str, quote_is_set: bool) -> String {
    let body = QualName::new(None, ns!(html), local_name!("body"));
    let dom = parse_fragment(RcDom::default(), ParseOpts::default(), body, Vec::new(), true).one(html);
    let mut blocks = vec![Block::default()];
    walk(&dom.document, quote_is_set, false, &mut blocks);
    join(&blocks)
}

/// A piece of inline content, with the least number of line feeds before it.
#[derive(Default)]
struct Block {
    gap: usize,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    /// A line break or preformatted text: white space that is kept.
    Hard(String),
}

fn walk(node: &Handle, quote_is_set: bool, preformatted: bool, blocks: &mut Vec<Block>) {
    let children = |preformatted: bool, blocks: &mut Vec<Block>| {
        for child in node.children.borrow().iter() {
            walk(child, quote_is_set, preformatted, blocks);
        }
    };
    let NodeData::Element { name, attrs, .. } = &node.data else {
        if let NodeData::Text { contents } = &node.data {
            let text = contents.borrow().to_string();
            let piece = if preformatted { Piece::Hard(text) } else { Piece::Text(text) };
            blocks.last_mut().unwrap().pieces.push(piece);
        }
        return children(preformatted, blocks);
    };
    let attribute = |name: &str| {
        let found = attrs.borrow().iter().find(|a| &*a.name.local == name).map(|a| a.value.to_string());
        found.unwrap_or_default()
    };
    let is_fallback = quote_is_set && attribute("class").split_ascii_whitespace().any(|class| class == "quote-inline");
    let gap = match &*name.local {
        "script" | "style" | "title" | "textarea" | "iframe" | "noembed" | "noframes" | "noscript" => return,
        "br" => return blocks.last_mut().unwrap().pieces.push(Piece::Hard("\n".into())),
        "img" if attribute("class").contains("emoji") => {
            let alt = attribute("alt");
            let piece = if preformatted { Piece::Hard(alt) } else { Piece::Text(alt) };
            return blocks.last_mut().unwrap().pieces.push(piece);
        }
        "p" | "pre" | "blockquote" | "ul" | "ol" | "dl" | "hr" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => 2,
        "li" | "dt" | "dd" | "div" => 1,
        _ if is_fallback => return,
        _ => return children(preformatted, blocks),
    };
    blocks.push(Block { gap, ..Block::default() });
    if !is_fallback {
        children(preformatted || &*name.local == "pre", blocks);
    }
    blocks.push(Block { gap, ..Block::default() });
}

fn join(blocks: &[Block]) -> String {
    let mut text = String::new();
    let mut gap = 0;
    for block in blocks {
        gap = gap.max(block.gap);
        let content = content(&block.pieces);
        if content.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str(&"\n".repeat(gap));
        }
        text.push_str(&content);
        gap = 0;
    }
    text
}

/// The block's text without white space before its first and after its last character.
fn content(pieces: &[Piece]) -> String {
    let characters: Vec<(char, bool)> = pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Text(text) => text.chars().map(|c| (c, !c.is_ascii_whitespace())).collect::<Vec<_>>(),
            Piece::Hard(text) => text.chars().map(|c| (c, true)).collect(),
        })
        .collect();
    let Some(first) = characters.iter().position(|(_, counts)| *counts) else { return String::new() };
    let last = characters.iter().rposition(|(_, counts)| *counts).unwrap();
    characters[first..=last].iter().map(|(c, _)| c).collect()
}
