//! The marks of a report as pictures (SVG) that need no script.
//!
//! They are drawn here and not by the page's code, which would need a JavaScript engine in the program. Both follow the
//! same description of marks.

mod bars;
mod boxes;
mod heat;
mod line;
mod scale;

use std::fmt::Write;

use fedilake_query::answer::catalogue::Mark;

use super::rows::Rows;

/// The width of every picture, in its own units; a page scales it.
const WIDTH: f64 = 720.0;
/// The height of a line of text.
const LINE: f64 = 20.0;
/// The mean width of a character of 12 px.
const CHARACTER: f64 = 7.2;
/// The most characters of a name beside a mark; the table has it whole.
const NAME_MAX: usize = 34;

/// The picture of a mark; None for marks that are texts.
pub(super) fn draw(mark: &Mark, rows: &Rows<'_>, title: &str) -> anyhow::Result<Option<String>> {
    Ok(Some(match mark {
        Mark::Bars { x, y, series } => bars::draw(rows, x, y, series.as_deref(), title)?,
        Mark::Line { x, y, series } => line::draw(rows, x, y, series.as_deref(), title)?,
        Mark::Heat { x, y, value } => heat::draw(rows, x, y, value, title)?,
        Mark::Boxes { y, min, lower, median, upper, max } => {
            boxes::draw(rows, y, [min, lower, median, upper, max], title)?
        }
        Mark::Figures { .. } | Mark::Table {} => return Ok(None),
    }))
}

/// A text within HTML or SVG.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A picture that is being drawn.
struct Picture {
    parts: String,
    height: f64,
    title: String,
}

/// Where a text begins, or ends, or has its middle.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Picture {
    fn new(title: &str, height: f64) -> Picture {
        Picture { parts: String::new(), height, title: title.to_owned() }
    }

    fn push(&mut self, part: std::fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = self.parts.write_fmt(part);
        self.parts.push('\n');
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A rectangle whose exact value shows on hover.
    fn rect(&mut self, [x, y, width, height]: [f64; 4], attributes: &str, hover: &str) {
        let hover = escaped(hover);
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {attributes}><title>{hover}</title></rect>"
        ));
    }

    fn rule(&mut self, [x1, y1, x2, y2]: [f64; 4], class: &str) {
        self.push(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        ));
    }

    fn finish(self) -> String {
        let (height, title, parts) = (self.height, escaped(&self.title), self.parts);
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\" xmlns=\"http://www.w3.org/2000/svg\">\n{parts}</svg>\n"
        )
    }
}

/// A name that has room beside a mark.
fn short(name: &str) -> String {
    super::table::cut(name, NAME_MAX)
}

/// The room that names need.
fn room_for<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let longest = names.into_iter().map(|name| short(name).chars().count()).max().unwrap_or(0);
    longest as f64 * CHARACTER + 8.0
}
