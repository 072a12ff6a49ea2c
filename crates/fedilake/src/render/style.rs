//! What the terminal can show.

use std::io::IsTerminal;

/// Colour and width of what is written to.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether escape codes may be used.
    pub colour: bool,
    /// Columns to fit into; none when the reader is no terminal.
    pub width: Option<usize>,
}

impl Style {
    /// Plain text of any width, as for a pipe.
    pub const PLAIN: Style = Style { colour: false, width: None };

    /// What stdout is: plain when piped, without colour under `NO_COLOR`.
    pub fn of_stdout() -> Style {
        if !std::io::stdout().is_terminal() {
            return Style::PLAIN;
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        Style { colour: !no_colour, width: Some(width) }
    }

    /// The one thing that matters.
    pub fn bold(&self, text: &str) -> String {
        self.escape("1", text)
    }

    /// What explains.
    pub fn grey(&self, text: &str) -> String {
        self.escape("2", text)
    }

    fn escape(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
