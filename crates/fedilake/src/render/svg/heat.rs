//! A grid of cells, darker for greater values; a cell without a row stays empty.

use super::{Anchor, LINE, Picture, WIDTH, room_for, short};
use crate::render::rows::{Rows, distinct};

pub(super) fn draw(rows: &Rows<'_>, x: &str, y: &str, value: &str, title: &str) -> anyhow::Result<String> {
    let (xs, ys, values, texts) = (rows.texts(x)?, rows.texts(y)?, rows.floats(value)?, rows.texts(value)?);
    let (columns, lines) = (distinct(xs), distinct(ys));
    let left = room_for(lines.iter().copied());
    let wide = (WIDTH - left) / columns.len().max(1) as f64;
    let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let mut picture = Picture::new(title, lines.len() as f64 * LINE + 24.0);
    let place = |names: &[&str], name: &str| names.iter().position(|known| *known == name).unwrap_or(0) as f64;
    let mut free = f64::NEG_INFINITY;
    for (index, label) in columns.iter().enumerate() {
        let middle = left + (index as f64 + 0.5) * wide;
        if middle >= free {
            picture.text(middle, 14.0, Anchor::Middle, "axis", label);
            free = middle + label.chars().count() as f64 * 6.6 + 12.0;
        }
    }
    for (index, name) in lines.iter().enumerate() {
        picture.text(left - 6.0, 24.0 + index as f64 * LINE + 14.0, Anchor::End, "name", &short(name));
    }
    for row in 0..values.len() {
        let (column, line) = (place(&columns, &xs[row]), place(&lines, &ys[row]));
        let share = if most > 0.0 && values[row].is_finite() { values[row].max(0.0) / most } else { 0.0 };
        let cell = [left + column * wide, 24.0 + line * LINE, (wide - 1.0).max(1.0), LINE - 1.0];
        let attributes = format!("class=\"heat\" fill-opacity=\"{:.3}\"", 0.06 + 0.94 * share);
        picture.rect(cell, &attributes, &format!("{} {}: {}", ys[row], xs[row], texts[row]));
    }
    Ok(picture.finish())
}
