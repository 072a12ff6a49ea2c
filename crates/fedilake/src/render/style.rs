//! The abilities of the output: colour and width.

use std::io::IsTerminal;

/// Colour and width of the output.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// True if escape codes may be used.
    pub colour: bool,
    /// The terminal's width in columns; `None` if the output is not a terminal.
    pub width: Option<usize>,
}

impl Style {
    /// Plain text of any width, as for a pipe.
    pub const PLAIN: Style = Style { colour: false, width: None };

    /// The style of stdout: plain in a pipe, without colour under `NO_COLOR`.
    pub fn of_stdout() -> Style {
        if !std::io::stdout().is_terminal() {
            return Style::PLAIN;
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        Style { colour: !no_colour, width: Some(width) }
    }

    /// Bold, for the most important text.
    pub fn bold(&self, text: &str) -> String {
        self.escape("1", text)
    }

    /// Grey, for explanations.
    pub fn grey(&self, text: &str) -> String {
        self.escape("2", text)
    }

    fn escape(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
