//! The languages of tags.
//!
//! People, apps and servers write tags as in BCP 47, and in other ways: `pt-BR`, `pt_BR`, `EN`, `eng`, `zhCn`,
//! `i-klingon`, `und`. A tag counts under the language of its primary subtag, whichever of the language's codes that
//! is; the tag itself is stored as given. The same rule exists as SQL, for the views, and in Rust, for languages that
//! users type; a test compares the two.

use crate::views::literal;

const LANGUAGES: &str = include_str!("views/languages.csv");

/// Primary subtags, and whole tags, that name no language.
const UNKNOWN: [&str; 5] = ["", "und", "unknown", "x-default", "i-default"];

/// A row of languages.csv.
struct Language {
    /// The shortest ISO 639 code.
    code: &'static str,
    name: &'static str,
    /// The language's other codes, and whole tags from before subtags.
    others: &'static str,
}

fn languages() -> impl Iterator<Item = Language> {
    LANGUAGES.lines().skip(1).filter_map(|line| {
        let mut fields = line.splitn(3, ',');
        Some(Language { code: fields.next()?, name: fields.next()?, others: fields.next().unwrap_or_default() })
    })
}

/// Every key that names a language, and the language's English name.
fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    languages().flat_map(|language| {
        std::iter::once(language.code).chain(language.others.split_whitespace()).map(move |key| (key, language.name))
    })
}

/// Tags that are looked up as a whole, because their primary subtag names no language or another one.
fn whole_tags() -> impl Iterator<Item = &'static str> {
    keys().map(|(key, _)| key).chain(UNKNOWN).filter(|key| key.contains('-'))
}

/// The English name of the language that a tag names; `None` if unknown.
pub(crate) fn name(tag: &str) -> Option<&'static str> {
    let wanted = key(tag);
    keys().find_map(|(key, name)| (key == wanted).then_some(name))
}

/// The language that a typed tag, code or English name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Posts whose language is not known.
    Unknown,
    /// A language by the name that reports give it, whatever a tag adds.
    Language(String),
    /// Only this tag, in any letter case and with either separator.
    Tag(String),
}

pub(crate) fn meant(typed: &str) -> Meant {
    let (tag, key) = (canonical(typed), key(typed));
    if UNKNOWN.contains(&key.as_str()) {
        return Meant::Unknown;
    }
    let is_whole = key == tag || is_camel(typed.trim_matches(' '));
    let wanted = typed.trim_matches(' ').to_lowercase();
    let by_code = name(typed).filter(|_| is_whole);
    let by_name = || languages().map(|language| language.name).find(|name| name.to_lowercase() == wanted);
    match by_code.or_else(by_name) {
        Some(name) => Meant::Language(name.to_owned()),
        None if is_whole => Meant::Language(tag),
        None => Meant::Tag(tag),
    }
}

fn canonical(tag: &str) -> String {
    tag.trim_matches(' ').to_lowercase().replace('_', "-")
}

fn key(tag: &str) -> String {
    let canonical = canonical(tag);
    if is_camel(tag.trim_matches(' ')) {
        return canonical[..2].to_owned();
    }
    if whole_tags().any(|whole| whole == canonical) {
        return canonical;
    }
    canonical.split('-').next().unwrap_or_default().to_owned()
}

/// True for a language and a region without a separator, such as `zhCn`.
fn is_camel(tag: &str) -> bool {
    matches!(tag.as_bytes(), [a, b, c, d]
        if a.is_ascii_lowercase() && b.is_ascii_lowercase() && c.is_ascii_uppercase() && d.is_ascii_alphabetic())
}

/// SQL: the tag in lower case with hyphens.
pub(crate) fn canonical_sql(tag: &str) -> String {
    format!("replace(lower(trim({tag})), '_', '-')")
}

/// SQL: the key under which the tag's language is looked up.
pub(crate) fn key_sql(tag: &str) -> String {
    let canonical = canonical_sql(tag);
    let whole: Vec<_> = whole_tags().map(literal).collect();
    format!(
        "case when regexp_full_match(trim({tag}), '[a-z][a-z][A-Z][A-Za-z]') then lower(left(trim({tag}), 2)) \
        when {canonical} in ({}) then {canonical} else split_part({canonical}, '-', 1) end",
        whole.join(", ")
    )
}

/// SQL: the name under which reports count a tag, where `name` is the language's name; null if unknown.
pub(crate) fn counted_sql(tag: &str, name: &str) -> String {
    let unknown = UNKNOWN.map(literal).join(", ");
    format!("case when {} not in ({unknown}) then coalesce({name}, {}) end", key_sql(tag), canonical_sql(tag))
}

/// SQL rows `(key, name)`, several a line.
pub(crate) fn rows_sql() -> String {
    let rows: Vec<_> = keys().map(|(key, name)| format!("({}, {})", literal(key), literal(name))).collect();
    rows.chunks(6).map(|line| format!("    {}", line.join(", "))).collect::<Vec<_>>().join(",\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Tags, the language that each names, and its name in reports.
    const TAGS: [(&str, Option<&str>, Option<&str>); 49] = [
        ("pt", Some("Portuguese"), Some("Portuguese")),
        ("pt-BR", Some("Portuguese"), Some("Portuguese")),
        ("pt_BR", Some("Portuguese"), Some("Portuguese")),
        ("PT-br", Some("Portuguese"), Some("Portuguese")),
        ("por", Some("Portuguese"), Some("Portuguese")),
        ("por_BR", Some("Portuguese"), Some("Portuguese")),
        ("ptBR", Some("Portuguese"), Some("Portuguese")),
        ("EN", Some("English"), Some("English")),
        ("en-us", Some("English"), Some("English")),
        ("enCy", Some("English"), Some("English")),
        ("eng", Some("English"), Some("English")),
        ("en_US.UTF-8", Some("English"), Some("English")),
        ("en-GB-oed", Some("English"), Some("English")),
        (" de ", Some("German"), Some("German")),
        ("deu", Some("German"), Some("German")),
        ("ger", Some("German"), Some("German")),
        ("zh", Some("Chinese"), Some("Chinese")),
        ("zh_Hant", Some("Chinese"), Some("Chinese")),
        ("zh-Hans-CN", Some("Chinese"), Some("Chinese")),
        ("zhCn", Some("Chinese"), Some("Chinese")),
        ("chi", Some("Chinese"), Some("Chinese")),
        ("zho", Some("Chinese"), Some("Chinese")),
        ("cmn", Some("Chinese"), Some("Chinese")),
        ("zh-YUE", Some("Cantonese"), Some("Cantonese")),
        ("jpn", Some("Japanese"), Some("Japanese")),
        ("cze", Some("Czech"), Some("Czech")),
        ("iw", Some("Hebrew"), Some("Hebrew")),
        ("nob", Some("Norwegian Bokmål"), Some("Norwegian Bokmål")),
        ("no-bok", Some("Norwegian Bokmål"), Some("Norwegian Bokmål")),
        ("tok", Some("Toki Pona"), Some("Toki Pona")),
        ("i-klingon", Some("Klingon"), Some("Klingon")),
        ("I_Klingon", Some("Klingon"), Some("Klingon")),
        ("art-lojban", Some("Lojban"), Some("Lojban")),
        ("mul", Some("Multiple languages"), Some("Multiple languages")),
        ("zxx", Some("No linguistic content"), Some("No linguistic content")),
        ("mis", Some("Uncoded languages"), Some("Uncoded languages")),
        ("gaa", Some("Ga"), Some("Ga")),
        ("und", None, None),
        ("UND", None, None),
        ("und-Latn", None, None),
        ("", None, None),
        ("  ", None, None),
        ("unknown", None, None),
        ("x-default", None, None),
        ("i-default", None, None),
        ("x-klingon", None, Some("x-klingon")),
        ("null", None, Some("null")),
        ("en;q=0.8", None, Some("en;q=0.8")),
        ("Xx_YY", None, Some("xx-yy")),
    ];

    #[test]
    fn a_tag_counts_under_the_language_that_it_names_in_rust_and_in_sql() {
        let engine = duckdb::Connection::open_in_memory().unwrap();
        for (tag, named, counted) in TAGS {
            assert_eq!(name(tag), named, "{tag:?}");
            let sql = format!(
                "select names.name, {} from (select {} as tag) given left join (values {}) names (tag, name) on names.tag = {}",
                counted_sql("given.tag", "names.name"),
                literal(tag),
                rows_sql(),
                key_sql("given.tag"),
            );
            let row: (Option<String>, Option<String>) =
                engine.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!((row.0.as_deref(), row.1.as_deref()), (named, counted), "{tag:?}");
        }
    }

    #[test]
    fn a_key_and_a_name_are_one_languages() {
        let (mut met, mut names) = (HashSet::new(), HashSet::new());
        for (key, _) in keys() {
            assert!(met.insert(key), "{key}");
            assert_eq!(key, canonical(key));
        }
        for language in languages() {
            assert!(names.insert(language.name.to_lowercase()), "{}", language.name);
            assert_eq!(name(language.code), Some(language.name));
        }
    }

    #[test]
    fn a_language_may_be_typed_by_any_of_its_codes_or_by_its_name() {
        let language = |name: &str| Meant::Language(name.to_owned());
        for (typed, wanted) in [
            ("pt", language("Portuguese")),
            ("POR", language("Portuguese")),
            ("Portuguese", language("Portuguese")),
            (" norwegian bokmål", language("Norwegian Bokmål")),
            ("serbo-croatian", language("Serbo-Croatian")),
            ("ga", language("Irish")),
            ("zhCn", language("Chinese")),
            ("i-klingon", language("Klingon")),
            ("vai", language("Vai")),
            ("pt-BR", Meant::Tag("pt-br".to_owned())),
            ("pt_br", Meant::Tag("pt-br".to_owned())),
            ("zz-ZZ", Meant::Tag("zz-zz".to_owned())),
            ("Klingonese", language("klingonese")),
            ("unknown", Meant::Unknown),
            ("und", Meant::Unknown),
            ("", Meant::Unknown),
        ] {
            assert_eq!(meant(typed), wanted, "{typed:?}");
        }
    }
}
