//! The text below the flags in a verb's help: examples that can be copied, and a note.

use std::fmt::Write;

/// Columns of a line at most, however wide the terminal is.
const COLUMNS_MAX: usize = 100;
/// Where a command goes on that needs several lines.
const INDENT: &str = "      ";

/// A command, and what it does where the command does not say it.
pub type Example = (&'static str, &'static str);

/// The width of help in columns: the terminal's, `COLUMNS` where there is none, and at most 100.
pub fn columns() -> usize {
    let terminal = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    let told = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    terminal.or_else(told).unwrap_or(COLUMNS_MAX).clamp(20, COLUMNS_MAX)
}

/// Examples for the terminal's width, each a command for the shell on as many lines as it needs; then `more`, a paragraph a line.
pub fn examples(examples: &[Example], more: &str) -> String {
    let mut text = within(columns(), examples);
    if !more.is_empty() {
        text.push_str("\n\n");
        text.push_str(more);
    }
    text
}

fn within(columns: usize, examples: &[Example]) -> String {
    let mut text = "Examples:".to_owned();
    // Writing to a text cannot fail.
    for (command, what) in examples {
        let remark = if what.is_empty() { String::new() } else { format!("  # {what}") };
        if command.len() + remark.len() + 2 <= columns {
            let _ = write!(text, "\n  {command}{remark}");
            continue;
        }
        let mut used = columns;
        for word in what.split_whitespace() {
            if used + 1 + word.len() > columns {
                text.push_str("\n  #");
                used = 3;
            }
            let _ = write!(text, " {word}");
            used += 1 + word.len();
        }
        let _ = write!(text, "\n  {}", on_lines(command, columns - 2));
    }
    text
}

/// The command with `\` at the end of each line but the last. A space within single quotes is never left for a line's end.
fn on_lines(command: &str, columns: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    for word in words(command) {
        // The backslash and the space before it need their place.
        if used > 0 && used + 1 + word.len() + 2 > columns {
            let _ = write!(lines, " \\\n  {INDENT}");
            used = INDENT.len();
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += word.len();
    }
    lines
}

/// Parts of a command between spaces at which a shell can go on in the next line: those within double quotes too, since a
/// backslash at the end of a line means the same there.
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut in_double, mut in_single) = (0, false, false);
    for (at, c) in command.char_indices() {
        match c {
            '"' if !in_single => in_double = !in_double,
            '\'' if !in_double => in_single = !in_single,
            ' ' if !in_single => {
                words.push(&command[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&command[start..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: [Example; 4] = [
        ("fedilake report", ""),
        ("fedilake sql \"select author, count(*) from posts group by 1\" --format csv > answer.csv", ""),
        ("echo 'from mastodon_toot  limit 5' | fedilake sql -", "from a pipe"),
        ("fedilake run --server http://127.0.0.1:4000 --data d --for 30s", "against `fedilake simulate`"),
    ];

    #[test]
    fn a_shell_reads_the_same_command_at_every_width() {
        for columns in 30..140 {
            let text = within(columns, &EXAMPLES);
            let commands: String =
                text.lines().filter(|line| !line.starts_with("  # ")).map(|line| line.to_owned() + "\n").collect();
            let joined = commands.replace(&format!(" \\\n  {INDENT}"), " ");
            for (command, _) in EXAMPLES {
                let is_it = |line: &str| line.trim_start().split("  # ").next() == Some(command);
                assert!(joined.lines().any(is_it), "{columns}:\n{text}");
            }
        }
    }

    #[test]
    fn no_line_is_wider_than_asked_for_if_its_words_are_not() {
        for columns in 46..140 {
            let text = within(columns, &EXAMPLES);
            assert!(text.lines().all(|line| line.len() <= columns), "{columns}:\n{text}");
        }
    }
}
