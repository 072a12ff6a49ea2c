//! Box plots on a logarithmic axis: whiskers to the least and the most, the middle half, its median.

use super::scale::{Linear, label};
use super::{Anchor, LINE, Picture, WIDTH, room_for, short};
use crate::render::rows::Rows;

/// Lengths that people know are ticks, beside powers of ten.
const TICKS: [f64; 10] = [0.0, 1.0, 10.0, 50.0, 140.0, 280.0, 500.0, 5_000.0, 50_000.0, 500_000.0];

pub(super) fn draw(rows: &Rows<'_>, y: &str, five: [&String; 5], title: &str) -> anyhow::Result<String> {
    let names = rows.texts(y)?;
    let [min, lower, median, upper, max] = five.map(|name| rows.floats(name));
    let five = [min?, lower?, median?, upper?, max?];
    let left = room_for(names.iter().map(String::as_str));
    let most = five[4].iter().copied().filter(|value| value.is_finite()).fold(1.0, f64::max);
    let scale = Linear { least: 0.0, most: most.ln_1p(), start: left + 4.0, end: WIDTH - 12.0 };
    let at = |value: f64| scale.at(value.max(0.0).ln_1p());
    let height = names.len() as f64 * LINE + 24.0;
    let mut picture = Picture::new(title, height);
    let mut free = f64::NEG_INFINITY;
    for tick in TICKS.into_iter().filter(|tick| *tick <= most && at(*tick) >= 0.0) {
        picture.rule([at(tick), 20.0, at(tick), height], "grid");
        if at(tick) >= free {
            picture.text(at(tick), 14.0, Anchor::Middle, "axis", &label(tick));
            free = at(tick) + 34.0;
        }
    }
    for (row, name) in names.iter().enumerate() {
        let values = [five[0][row], five[1][row], five[2][row], five[3][row], five[4][row]];
        let middle = 24.0 + row as f64 * LINE + LINE / 2.0;
        picture.text(left - 2.0, middle + 4.0, Anchor::End, "name", &short(name));
        if values.iter().any(|value| !value.is_finite()) {
            continue;
        }
        let [min, lower, median, upper, max] = values.map(at);
        let hover = format!("{name}: {:?}", values.map(label));
        picture.rule([min, middle, max, middle], "whisker");
        picture.rect([lower, middle - 6.0, (upper - lower).max(1.0), 12.0], "class=\"box\"", &hover);
        picture.rule([median, middle - 6.0, median, middle + 6.0], "median");
    }
    Ok(picture.finish())
}
