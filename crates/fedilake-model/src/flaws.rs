//! Defects of a status that still becomes a post.

/// A defect of a status. Each costs a field or a part of one, and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flaw {
    /// The status gives no time of writing: the post counts as written when it was seen.
    CreatedAtMissing,
    /// The time of writing cannot be read: the post counts as written when it was seen.
    CreatedAtUnreadable,
    /// The time of the last edit cannot be read: the post counts as never edited, or an edit as made when it was seen.
    EditedAtUnreadable,
    /// The time at which the account was made cannot be read.
    AuthorCreatedAtUnreadable,
    /// The time at which a recorded frame was seen cannot be read: the frame counts as seen now.
    ObservedAtUnreadable,
    /// The time at which a recorded frame was seen has not come yet: the frame counts as seen now.
    ObservedAtAhead,
    /// The url is longer than its column holds or has control characters, and was left out.
    UrlDropped,
    /// The language tag is longer than its column holds or has control characters, and was left out.
    LanguageDropped,
    /// The quoted post's uri is longer than its column holds or has control characters, and was left out.
    QuoteUriDropped,
    /// The id or author of the answered post is longer than its column holds or has control characters, and was left out.
    InReplyToDropped,
    /// The text was cut to what its column holds.
    TextCut,
    /// The content warning was cut.
    SpoilerTextCut,
    /// The client's name was cut.
    AppCut,
    /// The visibility was cut.
    VisibilityCut,
    /// Hashtags were left out: too many, or too long.
    TagsCut,
    /// Mentions were left out: too many, or too long.
    MentionsCut,
    /// Links were left out or cut: too many, or too long.
    LinksCut,
    /// Kinds of attachments were left out or cut: too many, or too long.
    MediaTypesCut,
    /// A field is of a kind that the API does not give there, such as a word in place of a count: it counts as not given.
    FieldUnreadable,
    /// The JSON has bytes that are no UTF-8: each became U+FFFD.
    BytesReplaced,
    /// The JSON has control characters or backslashes as no JSON has them: they were read all the same.
    EscapesMended,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Flaw; 21] = [
        Flaw::CreatedAtMissing,
        Flaw::CreatedAtUnreadable,
        Flaw::EditedAtUnreadable,
        Flaw::AuthorCreatedAtUnreadable,
        Flaw::ObservedAtUnreadable,
        Flaw::ObservedAtAhead,
        Flaw::UrlDropped,
        Flaw::LanguageDropped,
        Flaw::QuoteUriDropped,
        Flaw::InReplyToDropped,
        Flaw::TextCut,
        Flaw::SpoilerTextCut,
        Flaw::AppCut,
        Flaw::VisibilityCut,
        Flaw::TagsCut,
        Flaw::MentionsCut,
        Flaw::LinksCut,
        Flaw::MediaTypesCut,
        Flaw::FieldUnreadable,
        Flaw::BytesReplaced,
        Flaw::EscapesMended,
    ];

    /// The flaw as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Flaw::CreatedAtMissing => "created_at_missing",
            Flaw::CreatedAtUnreadable => "created_at_unreadable",
            Flaw::EditedAtUnreadable => "edited_at_unreadable",
            Flaw::AuthorCreatedAtUnreadable => "author_created_at_unreadable",
            Flaw::ObservedAtUnreadable => "observed_at_unreadable",
            Flaw::ObservedAtAhead => "observed_at_ahead",
            Flaw::UrlDropped => "url_dropped",
            Flaw::LanguageDropped => "language_dropped",
            Flaw::QuoteUriDropped => "quote_uri_dropped",
            Flaw::InReplyToDropped => "in_reply_to_dropped",
            Flaw::TextCut => "text_cut",
            Flaw::SpoilerTextCut => "spoiler_text_cut",
            Flaw::AppCut => "app_cut",
            Flaw::VisibilityCut => "visibility_cut",
            Flaw::TagsCut => "tags_cut",
            Flaw::MentionsCut => "mentions_cut",
            Flaw::LinksCut => "links_cut",
            Flaw::MediaTypesCut => "media_types_cut",
            Flaw::FieldUnreadable => "field_unreadable",
            Flaw::BytesReplaced => "bytes_replaced",
            Flaw::EscapesMended => "escapes_mended",
        }
    }

    /// True for a field that was given and is not kept as it was given: left out, cut, or not readable.
    pub fn is_loss(self) -> bool {
        !matches!(self, Flaw::CreatedAtMissing | Flaw::EscapesMended)
    }

    /// True for a time that was given but cannot be read.
    pub fn is_unreadable_time(self) -> bool {
        matches!(
            self,
            Flaw::CreatedAtUnreadable | Flaw::EditedAtUnreadable | Flaw::ObservedAtUnreadable | Flaw::ObservedAtAhead
        )
    }
}

/// A set of flaws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaws(u32);

impl Flaws {
    /// Adds a flaw to the set.
    pub fn add(&mut self, flaw: Flaw) {
        self.0 |= 1 << flaw as u32;
    }

    /// Adds `flaw` if `is_there`.
    pub fn add_if(&mut self, is_there: bool, flaw: Flaw) {
        if is_there {
            self.add(flaw);
        }
    }

    /// Adds the flaws of `other`.
    pub fn add_all(&mut self, other: Flaws) {
        self.0 |= other.0;
    }

    /// The flaws in their order.
    pub fn iter(self) -> impl Iterator<Item = Flaw> {
        Flaw::ALL.into_iter().filter(move |flaw| self.0 & (1 << *flaw as u32) != 0)
    }
}
