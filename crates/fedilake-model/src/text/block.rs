//! The elements that break lines.

/// A block element. Elements that HTML's tree construction treats alike share a variant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    P,
    Li,
    Term,
    Definition,
    Heading(u8),
    Pre,
    Listing,
    Xmp,
    Plaintext,
    Div,
    Address,
    Ul,
    Ol,
    Other(&'static str),
}

impl Block {
    pub(super) fn of(tag: &[u8]) -> Option<Block> {
        const OTHERS: [&str; 20] = [
            "article",
            "aside",
            "blockquote",
            "center",
            "details",
            "dialog",
            "dir",
            "dl",
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "header",
            "hgroup",
            "main",
            "menu",
            "nav",
            "search",
            "section",
            "summary",
        ];
        Some(match tag {
            b"p" => Block::P,
            b"li" => Block::Li,
            b"dt" => Block::Term,
            b"dd" => Block::Definition,
            [b'h', level @ b'1'..=b'6'] => Block::Heading(level - b'0'),
            b"pre" => Block::Pre,
            b"listing" => Block::Listing,
            b"xmp" => Block::Xmp,
            b"plaintext" => Block::Plaintext,
            b"div" => Block::Div,
            b"address" => Block::Address,
            b"ul" => Block::Ul,
            b"ol" => Block::Ol,
            _ => Block::Other(OTHERS.iter().find(|name| name.as_bytes() == tag)?),
        })
    }

    /// Line feeds between this block and its neighbours.
    pub(super) fn gap(self) -> usize {
        match self {
            Block::Li | Block::Term | Block::Definition | Block::Div | Block::Address => 1,
            Block::Other("blockquote" | "dl" | "dir" | "menu" | "figure") => 2,
            Block::Other(_) => 1,
            _ => 2,
        }
    }

    pub(super) fn is_preformatted(self) -> bool {
        matches!(self, Block::Pre | Block::Listing | Block::Xmp | Block::Plaintext)
    }
}
