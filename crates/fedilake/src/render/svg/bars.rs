//! Horizontal bars from zero, each with its name before and its value behind it.

use super::scale::Linear;
use super::{Anchor, CHARACTER, LINE, Picture, WIDTH, room_for, short};
use crate::render::rows::{Rows, distinct};

pub(super) fn draw(rows: &Rows<'_>, x: &str, y: &str, series: Option<&str>, title: &str) -> anyhow::Result<String> {
    let (names, texts, values) = (rows.texts(x)?, rows.texts(y)?, rows.floats(y)?);
    let parts = series.map(|series| rows.texts(series)).transpose()?;
    let labels: Vec<String> = match parts {
        // A part of a name has a line of its own: lengths from zero compare better than stacked ones.
        Some(parts) => names.iter().zip(parts).map(|(name, part)| format!("{name}, {part}")).collect(),
        None => names.to_vec(),
    };
    let colours = parts.map(|parts| distinct(parts)).unwrap_or_default();
    let left = room_for(labels.iter().map(String::as_str));
    let right = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0) as f64 * CHARACTER + 8.0;
    let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let scale = Linear { least: 0.0, most, start: left, end: WIDTH - right };
    let mut picture = Picture::new(title, labels.len() as f64 * LINE + 4.0);
    for (row, (label, value)) in labels.iter().zip(&values).enumerate() {
        let top = row as f64 * LINE;
        let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        let colour = parts.and_then(|parts| colours.iter().position(|known| *known == parts[row])).unwrap_or(0);
        picture.text(left - 6.0, top + 14.0, Anchor::End, "name", &short(label));
        let place = [left, top + 3.0, scale.at(value) - left, LINE - 6.0];
        picture.rect(place, &format!("class=\"c{}\"", colour % 8), &format!("{label}: {}", texts[row]));
        picture.text(scale.at(value) + 5.0, top + 14.0, Anchor::Start, "value", &texts[row]);
    }
    Ok(picture.finish())
}
