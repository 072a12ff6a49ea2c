//! Lines over a time or a number, from zero, each with its name at its end.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};

use super::scale::{Linear, label, ticks};
use super::{Anchor, Picture, WIDTH, escaped, room_for, short};
use crate::render::rows::{Rows, distinct};

const HEIGHT: f64 = 240.0;
/// A line is broken where the next point is further away than so many times the usual step.
const GAP_STEPS: f64 = 1.5;

pub(super) fn draw(rows: &Rows<'_>, x: &str, y: &str, series: Option<&str>, title: &str) -> anyhow::Result<String> {
    let (places, labels, values, texts) = (numbers(rows, x)?, rows.texts(x)?, rows.floats(y)?, rows.texts(y)?);
    let names = series.map(|series| rows.texts(series)).transpose()?;
    let lines = names.map_or_else(|| vec![""], |names| distinct(names));
    let finite = |numbers: &[f64]| numbers.iter().copied().filter(|number| number.is_finite()).collect::<Vec<_>>();
    let (known, heights) = (finite(&places), finite(&values));
    let least = known.iter().copied().fold(f64::INFINITY, f64::min);
    let most = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let highest = heights.iter().copied().fold(0.0, f64::max);
    let right = room_for(lines.iter().copied());
    let across = Linear { least, most, start: 52.0, end: WIDTH - right.max(16.0) };
    let up = Linear { least: 0.0, most: highest, start: HEIGHT - 28.0, end: 12.0 };
    let mut picture = Picture::new(title, HEIGHT);
    for tick in ticks(0.0, highest, 4) {
        picture.rule([across.start, up.at(tick), across.end, up.at(tick)], "grid");
        picture.text(across.start - 6.0, up.at(tick) + 4.0, Anchor::End, "axis", &label(tick));
    }
    label_places(&mut picture, &across, &places, labels);
    let step = usual_step(&places);
    let mut ends: Vec<(f64, usize)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let of_line = |row: &usize| names.is_none_or(|names| names[*row] == **line);
        let points: Vec<usize> = (0..places.len())
            .filter(of_line)
            .filter(|row| places[*row].is_finite() && values[*row].is_finite())
            .collect();
        let mut path = String::new();
        for (index, row) in points.iter().enumerate() {
            let goes_on = index > 0 && places[*row] - places[points[index - 1]] <= step * GAP_STEPS;
            path.push_str(&format!(
                "{}{:.1} {:.1}",
                if goes_on { "L" } else { "M" },
                across.at(places[*row]),
                up.at(values[*row])
            ));
        }
        picture.push(format_args!("<path d=\"{path}\" class=\"line s{}\"/>", number % 8));
        for row in &points {
            let hover = escaped(&format!("{} {line} {}", labels[*row], texts[*row]));
            picture.push(format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\" class=\"c{}\"><title>{hover}</title></circle>",
                across.at(places[*row]),
                up.at(values[*row]),
                number % 8
            ));
        }
        if let Some(last) = points.last() {
            ends.push((up.at(values[*last]), number));
        }
    }
    // Names at the ends of their lines, moved apart where they would overlap.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = f64::NEG_INFINITY;
    for (at, number) in ends.into_iter().filter(|_| names.is_some()) {
        below = at.max(below + 13.0);
        picture.text(across.end + 6.0, below + 4.0, Anchor::Start, &format!("t{}", number % 8), &short(lines[number]));
    }
    Ok(picture.finish())
}

/// A column of dates, times or numbers as numbers.
fn numbers(rows: &Rows<'_>, name: &str) -> anyhow::Result<Vec<f64>> {
    let column = rows.rows.column_by_name(name);
    let of = |valid: bool, value: f64| if valid { value } else { f64::NAN };
    Ok(match column.map(|column| (column, column.data_type())) {
        Some((column, DataType::Date32)) => {
            let days = column.as_primitive::<Date32Type>();
            (0..days.len()).map(|row| of(days.is_valid(row), f64::from(days.value(row)) * 86_400e6)).collect()
        }
        Some((column, DataType::Timestamp(TimeUnit::Microsecond, _))) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            (0..times.len()).map(|row| of(times.is_valid(row), times.value(row) as f64)).collect()
        }
        _ => rows.floats(name)?,
    })
}

/// Labels below the axis, as many as have room.
fn label_places(picture: &mut Picture, across: &Linear, places: &[f64], labels: &[String]) {
    let longest = labels.iter().map(|label| short(label).chars().count()).max().unwrap_or(0) as f64;
    let mut free = f64::NEG_INFINITY;
    for (place, text) in places.iter().zip(labels).filter(|(place, _)| place.is_finite()) {
        let at = across.at(*place);
        if at >= free {
            picture.rule([at, HEIGHT - 28.0, at, HEIGHT - 24.0], "tick");
            let anchor = if at < across.start + 20.0 { Anchor::Start } else { Anchor::Middle };
            picture.text(at, HEIGHT - 10.0, anchor, "axis", &short(text));
            free = at + longest * 6.2 + 14.0;
        }
    }
}

/// The median distance of neighbours, from which a gap is told.
fn usual_step(places: &[f64]) -> f64 {
    let mut known: Vec<f64> = places.iter().copied().filter(|place| place.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    known.dedup();
    let mut steps: Vec<f64> = known.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(f64::INFINITY)
}
