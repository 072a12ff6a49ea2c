//! Attachments and polls.

use super::account::{Viewpoint, write_split_id};
use super::json::Push;
use super::vocabulary::Vocabulary;
use crate::dice::Dice;

/// Writes the entries of `media_attachments`.
pub(crate) fn write_attachments(
    count: u64,
    vocabulary: &Vocabulary,
    view: &Viewpoint<'_>,
    local: bool,
    created_at_ms: i64,
    dice: &mut Dice,
    out: &mut Vec<u8>,
) {
    for at in 0..count {
        if at > 0 {
            out.push(b',');
        }
        let id = ((created_at_ms as u64 - 1_000 * (count - at)) << 16) | dice.below(1 << 16);
        let (kind, ending) = match dice.below(20) {
            0 => ("video", ".mp4"),
            1 => ("gifv", ".mp4"),
            _ => ("image", ".jpeg"),
        };
        let file = dice.next();
        let (width, height) = *dice.pick(&[(1_920, 1_080), (1_200, 1_600), (1_080, 1_080), (1_536, 2_048), (800, 600)]);
        out.text("{\"id\":\"");
        out.number(id);
        out.texts(&["\",\"type\":\"", kind, "\""]);
        for (field, style, ending) in [(",\"url\":\"", "original", ending), (",\"preview_url\":\"", "small", ".png")] {
            out.texts(&[field, view.files, if local { "" } else { "/cache" }, "/media_attachments/files"]);
            write_split_id(id, out);
            out.texts(&["/", style, "/"]);
            out.hex(file, 16);
            out.texts(&[ending, "\""]);
        }
        out.text(",\"remote_url\":null,\"preview_remote_url\":null,\"text_url\":null,\"meta\":{");
        for (name, width, height) in [("\"original\"", width, height), (",\"small\"", width / 3, height / 3)] {
            out.texts(&[name, ":{\"width\":"]);
            out.number(width);
            out.text(",\"height\":");
            out.number(height);
            out.text(",\"size\":\"");
            out.number(width);
            out.push(b'x');
            out.number(height);
            out.text("\",\"aspect\":");
            out.text(
                ["0.75", "1.0", "1.3333333333333333", "1.7777777777777777"][(4 * width / (3 * height)).min(3) as usize],
            );
            out.push(b'}');
        }
        out.text("},\"description\":");
        if dice.chance(0.45) {
            out.push(b'"');
            write_words(4 + dice.below(16), vocabulary, dice, out);
            out.push(b'"');
        } else {
            out.text("null");
        }
        out.text(",\"blurhash\":\"U");
        out.hex(dice.next(), 16);
        out.hex(dice.next(), 16);
        out.text("\"}");
    }
}

/// Writes a poll object with two to four options.
pub(crate) fn write_poll(id: u64, created_at_ms: i64, vocabulary: &Vocabulary, dice: &mut Dice, out: &mut Vec<u8>) {
    out.text("{\"id\":\"");
    out.number(id >> 20);
    out.text("\",\"expires_at\":\"");
    out.time(created_at_ms + 86_400_000);
    out.text("\",\"expired\":false,\"multiple\":");
    out.boolean(dice.chance(0.2));
    out.text(",\"votes_count\":0,\"voters_count\":0,\"options\":[");
    for option in 0..2 + dice.below(3) {
        if option > 0 {
            out.push(b',');
        }
        out.text("{\"title\":\"");
        write_words(1 + dice.below(3), vocabulary, dice, out);
        out.text("\",\"votes_count\":0}");
    }
    out.text("],\"emojis\":[]}");
}

/// Words as plain text: for fields that are not HTML.
pub(crate) fn write_words(count: u64, vocabulary: &Vocabulary, dice: &mut Dice, out: &mut Vec<u8>) {
    for at in 0..count {
        if at > 0 && vocabulary.spaced {
            out.push(b' ');
        }
        out.text(vocabulary.plain_word(dice));
    }
}
