//! Functions that make much of little.
//!
//! DuckDB counts what a scalar function writes towards no memory limit and hears no interrupt inside of one, so
//! `repeat('x', 2000000000)` takes 2 GB and its time whatever the limits say, for each row. Such functions therefore get
//! their sizes as numbers in the text, and the sizes of a statement multiply to no more than [`SIZE_MAX`].
//!
//! What grows by its input alone (`replace` of a letter by a long text, `list_transform` that repeats a long list, quadratic
//! functions such as `levenshtein`) is not seen here: its input was counted, and has to be large first.

use serde_json::Value;

/// What the sizes of a statement multiply to at most. DuckDB works on 2,048 rows at a time: lists of so many numbers take
/// 160 MB a thread.
const SIZE_MAX: u64 = 10_000;

/// Where a function is told its size: in one argument, in all from one on, or in the widths of a format text.
#[derive(Clone, Copy)]
enum Told {
    At(usize),
    From(usize),
    Text,
}

/// Whether it makes that much of each of its inputs, or no more than that of all of them.
#[derive(Clone, Copy, PartialEq)]
enum Makes {
    Times,
    Width,
}

const SIZED: [(&str, Told, Makes); 13] = [
    ("repeat", Told::At(1), Makes::Times),
    ("range", Told::From(0), Makes::Times),
    ("generate_series", Told::From(0), Makes::Times),
    ("list_resize", Told::At(1), Makes::Times),
    ("array_resize", Told::At(1), Makes::Times),
    ("lpad", Told::At(1), Makes::Width),
    ("rpad", Told::At(1), Makes::Width),
    ("bitstring", Told::At(1), Makes::Width),
    ("bitstring_agg", Told::From(1), Makes::Width),
    ("reservoir_quantile", Told::At(2), Makes::Width),
    ("approx_top_k", Told::At(1), Makes::Width),
    ("format", Told::Text, Makes::Width),
    ("printf", Told::Text, Makes::Width),
];

/// Functions that call an aggregate by its name.
const AGGREGATES_OF_LISTS: [&str; 5] = ["list_aggregate", "list_aggr", "array_aggregate", "array_aggr", "aggregate"];

/// Refuses a statement that calls for more than [`SIZE_MAX`], or does not say of how much.
pub(super) fn bounded(tree: &Value) -> Result<(), String> {
    let sizes = sizes(tree)?;
    match sizes.times.checked_mul(sizes.width) {
        Some(size) if size <= SIZE_MAX => Ok(()),
        _ => Err(format!(
            "the sizes given to repeat(), range(), lpad() and their like may multiply to {SIZE_MAX} at most\n\
             hint: FROM range(…) and FROM generate_series(…) have no such limit"
        )),
    }
}

/// What is called for below a node of DuckDB's parse tree.
#[derive(Clone, Copy)]
struct Sizes {
    times: u64,
    width: u64,
}

const NOTHING: Sizes = Sizes { times: 1, width: 1 };

fn sizes(tree: &Value) -> Result<Sizes, String> {
    match tree {
        Value::Array(items) => items.iter().try_fold(NOTHING, |all, item| Ok(all.with(sizes(item)?))),
        Value::Object(fields) => {
            let own = own(tree)?;
            fields.iter().try_fold(own, |all, (key, value)| {
                Ok(all.with(match (key.as_str(), value) {
                    // Columns stand beside each other; all else may be one inside of the other.
                    ("select_list", Value::Array(columns)) => {
                        columns.iter().try_fold(NOTHING, |most, column| Ok::<_, String>(most.or(sizes(column)?)))?
                    }
                    // A table function makes its rows as they are asked for.
                    ("function", function) if tree["type"] == "TABLE_FUNCTION" => sizes(&function["children"])?,
                    _ => sizes(value)?,
                }))
            })
        }
        _ => Ok(NOTHING),
    }
}

impl Sizes {
    fn with(self, other: Sizes) -> Sizes {
        Sizes { times: self.times.saturating_mul(other.times), width: self.width.max(other.width) }
    }

    fn or(self, other: Sizes) -> Sizes {
        Sizes { times: self.times.max(other.times), width: self.width.max(other.width) }
    }
}

/// What a node itself calls for.
fn own(node: &Value) -> Result<Sizes, String> {
    let name = node["function_name"].as_str().unwrap_or_default();
    let arguments = node["children"].as_array().map_or(&[][..], Vec::as_slice);
    if AGGREGATES_OF_LISTS.iter().any(|by_name| name.eq_ignore_ascii_case(by_name)) {
        let of = arguments.get(1).and_then(|of| of["value"]["value"].as_str()).unwrap_or_default();
        return match sized(of) {
            Some((of, ..)) => {
                Err(format!("{name}() may not call {of}()\nhint: aggregate the rows that unnest() makes"))
            }
            None => Ok(NOTHING),
        };
    }
    let Some((name, told, makes)) = sized(name) else { return Ok(NOTHING) };
    // Of `s.repeat(3)` the first argument stands before the dot.
    let before = usize::from(is_method(node));
    let size = match told {
        Told::At(at) => arguments.get(*at - before).map_or(Some(1), literal),
        Told::From(at) if *at >= before => arguments
            .iter()
            .skip(*at - before)
            .try_fold(0u64, |sum, argument| Some(sum.saturating_add(literal(argument)?))),
        Told::Text if before == 0 => {
            arguments.first().and_then(|text| text["value"]["value"].as_str()).and_then(widest)
        }
        Told::From(_) | Told::Text => None,
    };
    let size = size.ok_or_else(|| unknown(name, *told))?.max(1);
    Ok(match makes {
        Makes::Times => Sizes { times: size, width: 1 },
        Makes::Width => Sizes { times: 1, width: size },
    })
}

fn sized(name: &str) -> Option<&'static (&'static str, Told, Makes)> {
    SIZED.iter().find(|(sized, ..)| name.eq_ignore_ascii_case(sized))
}

/// Whether what stands before a function's name is no schema: DuckDB then takes it for the first argument.
fn is_method(node: &Value) -> bool {
    let text = |key: &str| node[key].as_str().unwrap_or_default().to_ascii_lowercase();
    !matches!((text("catalog").as_str(), text("schema").as_str()), ("", "") | ("" | "system", "main" | "pg_catalog"))
}

fn unknown(name: &str, told: Told) -> String {
    let hint = match (name, told) {
        ("range" | "generate_series", _) => format!("FROM {name}(…) takes any"),
        (_, Told::Text) => "write the format as a text, with its widths in it".to_owned(),
        _ => "a size that depends on the row is given as least(size, 100)".to_owned(),
    };
    format!("{name}() needs its size here as a number of at most {SIZE_MAX}\nhint: {hint}")
}

/// The most that an expression can be, sign aside, where its text tells.
fn literal(expression: &Value) -> Option<u64> {
    match expression["class"].as_str()? {
        "CONSTANT" => {
            let value = &expression["value"]["value"];
            value.as_i64().map(i64::unsigned_abs).or_else(|| value.as_u64()).or_else(|| {
                // Rounded up; what is too large for it becomes the largest.
                value.as_f64().map(|value| value.abs().ceil() as u64)
            })
        }
        "CAST" => literal(&expression["child"]),
        "FUNCTION" => {
            let arguments = expression["children"].as_array()?;
            match (expression["function_name"].as_str()?, &arguments[..]) {
                ("-", [of]) => literal(of),
                ("least", _) => arguments.iter().filter_map(literal).min(),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The greatest number in the fields of a format text; None when one takes a width from an argument, as `{:{}}` and `%*d` do.
fn widest(text: &str) -> Option<u64> {
    let mut fields = String::new();
    let mut open = false;
    for c in text.replace("{{", "").chars() {
        match c {
            '{' if open => return None,
            '{' => open = true,
            '}' => {
                open = false;
                fields.push(c);
            }
            _ if open => fields.push(c),
            _ => {}
        }
    }
    for after in text.split('%').skip(1) {
        let end = after.find(|c: char| !c.is_ascii_digit() && !" +-#.$".contains(c)).unwrap_or(after.len());
        if after[end..].starts_with('*') {
            return None;
        }
        fields.extend(["%", &after[..end]]);
    }
    let numbers = fields.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    Some(numbers.map(|digits| digits.parse().unwrap_or(u64::MAX)).max().unwrap_or(0))
}
