//! Reports as one HTML file: pictures, captions and figures that need no script, no server and no network, to be sent
//! and printed.

use std::io::Write;

use arrow::array::RecordBatch;
use fedilake_query::Report;
use fedilake_query::answer::catalogue::Mark;

use super::report::{of_nothing, separated};
use super::rows::Rows;
use super::svg::{self, escaped};
use super::table::Column;

/// A report with its rows.
pub struct Answered<'a> {
    pub report: &'a Report,
    pub rows: RecordBatch,
    pub note: Option<String>,
    /// The report's SQL over the documented views.
    pub sql: String,
}

/// Writes a page. `about` says in a sentence which posts are counted, `made_at` when.
pub fn write(answered: &[Answered<'_>], about: &str, made_at: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let style = include_str!("html/style.css");
    let (about, made_at) = (escaped(about), escaped(made_at));
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>fedilake: {about}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<header>\n<h1>fedilake</h1>\n\
         <p>{about}<br>{made_at}</p>\n</header>\n<main>"
    )?;
    for answered in answered {
        section(answered, out)?;
    }
    writeln!(out, "</main>\n</body>\n</html>")?;
    Ok(())
}

fn section(answered: &Answered<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let Answered { report, rows, note, sql } = answered;
    let header = &report.header;
    writeln!(out, "<section id=\"{}\">\n<h2>{}</h2>", escaped(&report.name), escaped(&header.title))?;
    writeln!(out, "<p class=\"unit\">{} · {}</p>", escaped(&header.unit), escaped(&header.of))?;
    let rows = Rows::new(rows)?;
    if rows.rows.num_rows() == 0 {
        let nothing = of_nothing(report).replacen('n', "N", 1);
        writeln!(out, "<p class=\"empty\">{nothing}.</p>")?;
    }
    let mut columns = rows.all()?;
    match svg::draw(&header.marks[0], &rows, &header.title)? {
        Some(picture) if rows.rows.num_rows() > 0 => write!(out, "{picture}")?,
        _ if matches!(header.marks[0], Mark::Figures { .. }) => figures(&columns, out)?,
        _ => {}
    }
    if let Some(note) = note {
        writeln!(out, "<p class=\"unit\">{}</p>", escaped(&separated(note)))?;
    }
    writeln!(out, "<p class=\"caption\">{}</p>", escaped(&header.caption))?;
    writeln!(out, "<details><summary>Figures</summary>")?;
    table(&mut columns, out)?;
    writeln!(out, "</details>\n<details><summary>SQL</summary><pre>{}</pre></details>\n</section>", escaped(sql))?;
    Ok(())
}

fn figures(columns: &[Column], out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "<dl>")?;
    for column in columns {
        for cell in &column.cells {
            writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(&column.title), escaped(cell))?;
        }
    }
    writeln!(out, "</dl>")?;
    Ok(())
}

fn table(columns: &mut [Column], out: &mut dyn Write) -> anyhow::Result<()> {
    let class = |column: &Column| if column.right { " class=\"number\"" } else { "" };
    writeln!(out, "<table>\n<thead><tr>")?;
    for column in columns.iter() {
        writeln!(out, "<th scope=\"col\"{}>{}</th>", class(column), escaped(&column.title))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        write!(out, "<tr>")?;
        for column in columns.iter() {
            write!(out, "<td{}>{}</td>", class(column), escaped(&column.cells[row]))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use fedilake_query::answer::report::named;

    use super::*;

    fn page(name: &str, columns: Vec<(&str, ArrayRef)>) -> String {
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let answered = Answered { report: named(name).unwrap(), rows, note: None, sql: "select 1 < 2".to_owned() };
        let mut out = Vec::new();
        write(&[answered], "All <posts>", "now", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_strangers_wrote_is_text() {
        let evil = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";
        for (name, column) in [("apps", "app"), ("languages", "language")] {
            let columns: Vec<(&str, ArrayRef)> = vec![
                (column, Arc::new(StringArray::from(vec![evil, "\u{202e}x", ""]))),
                ("posts", Arc::new(Int64Array::from(vec![3, 2, 0]))),
            ];
            let page = page(name, columns);
            assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
            assert!(page.contains("&lt;script&gt;"), "{page}");
            assert!(page.contains("<svg") && page.contains("All &lt;posts&gt;"), "{page}");
        }
    }

    #[test]
    fn a_page_asks_for_nothing_from_outside() {
        let page = page(
            "apps",
            vec![("app", Arc::new(StringArray::from(vec!["a"]))), ("posts", Arc::new(Int64Array::from(vec![1])))],
        );
        for outside in ["src=", "href=", "url(", "@import", "<link", "<iframe"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn nothing_is_drawn_of_no_rows() {
        let none: Vec<(&str, ArrayRef)> = vec![
            ("app", Arc::new(StringArray::from(Vec::<&str>::new()))),
            ("posts", Arc::new(Int64Array::from(Vec::<i64>::new()))),
        ];
        let page = page("apps", none);
        assert!(page.contains("No posts") && !page.contains("<svg"), "{page}");
    }
}
