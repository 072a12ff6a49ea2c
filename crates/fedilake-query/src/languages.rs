//! The languages of tags.
//!
//! People, apps and servers write tags as in BCP 47, and in other ways: `pt-BR`, `pt_BR`, `EN`, `eng`, `zhCn`,
//! `zhHant`, `PTBR`, `de.UTF-8`, `sr@latin`, `English`, `i-klingon`, `und`, `None`. A tag counts under the language of its
//! primary subtag, whichever of the language's codes or its English name that is; the tag itself is stored as given. The same rule exists as SQL, for the views, and in Rust, for languages that
//! users type; a test compares the two.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::literal::literal;

const LANGUAGES: &str = include_str!("views/languages.csv");

/// Primary subtags, and whole tags, that name no language.
const UNKNOWN: [&str; 8] = ["", "und", "unknown", "x-default", "i-default", "none", "n/a", "undefined"];

/// White space around a tag.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

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
fn keys() -> impl Iterator<Item = (Cow<'static, str>, &'static str)> {
    let codes = || {
        languages().flat_map(|language| {
            std::iter::once(language.code)
                .chain(language.others.split_whitespace())
                .map(move |key| (key, language.name))
        })
    };
    // A code counts before a name: `ga` is Irish, and not Ga.
    let taken: HashSet<&str> = codes().map(|(key, _)| key).collect();
    let names = languages()
        .map(|language| (language.name.to_lowercase(), language.name))
        .filter(move |(key, _)| !taken.contains(key.as_str()))
        .map(|(key, name)| (Cow::Owned(key), name));
    codes().map(|(key, name)| (Cow::Borrowed(key), name)).chain(names)
}

/// Tags that are looked up as a whole, because their primary subtag names no language or another one.
fn whole_tags() -> impl Iterator<Item = Cow<'static, str>> {
    keys().map(|(key, _)| key).chain(UNKNOWN.map(Cow::Borrowed)).filter(|key| key.contains('-'))
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
    let is_whole =
        key == tag || joined(typed.trim_matches(SPACE)).is_some_and(|joined| joined.eq_ignore_ascii_case(&key));
    let wanted = typed.trim_matches(SPACE).to_lowercase();
    let by_code = name(typed).filter(|_| is_whole);
    let by_name = || languages().map(|language| language.name).find(|name| name.to_lowercase() == wanted);
    match by_code.or_else(by_name) {
        Some(name) => Meant::Language(name.to_owned()),
        None if is_whole => Meant::Language(tag),
        None => Meant::Tag(tag),
    }
}

fn canonical(tag: &str) -> String {
    tag.trim_matches(SPACE).to_lowercase().replace('_', "-")
}

fn key(tag: &str) -> String {
    let canonical = canonical(tag);
    // The encoding or the variant of a locale: `de.UTF-8`, `sr@latin`.
    let plain = canonical.split(['.', '@']).next().unwrap_or_default();
    if whole_tags().any(|whole| whole == plain) || UNKNOWN.contains(&plain) || keys().any(|(key, _)| key == plain) {
        return plain.to_owned();
    }
    let joined = joined(tag.trim_matches(SPACE)).map(str::to_ascii_lowercase);
    joined.unwrap_or_else(|| plain.split('-').next().unwrap_or_default().to_owned())
}

/// The language of a tag that has no separator before its region or script: `zhCn`, `zhHant`, `filPh`, `PTBR`.
fn joined(tag: &str) -> Option<&str> {
    let is_upper = tag.len() == 4 && tag.bytes().all(|byte| byte.is_ascii_uppercase());
    let small = tag.bytes().take_while(u8::is_ascii_lowercase).count();
    let (language, rest) = tag.split_at(if is_upper { 2 } else { small });
    let is_part = matches!(rest.len(), 2 | 4)
        && rest.starts_with(|first: char| first.is_ascii_uppercase())
        && rest.bytes().all(|byte| byte.is_ascii_alphabetic());
    (matches!(language.len(), 2 | 3) && is_part).then_some(language)
}

/// SQL: the tag without white space around it.
fn trimmed_sql(tag: &str) -> String {
    let space: Vec<String> = SPACE.iter().map(|space| format!("chr({})", u32::from(*space))).collect();
    format!("trim({tag}, {})", space.join(" || "))
}

/// SQL: the tag in lower case with hyphens.
pub(crate) fn canonical_sql(tag: &str) -> String {
    format!("replace(lower({}), '_', '-')", trimmed_sql(tag))
}

/// SQL: the key under which the tag's language is looked up.
pub(crate) fn key_sql(tag: &str) -> String {
    let trimmed = trimmed_sql(tag);
    let plain = format!("split_part(split_part({}, '.', 1), '@', 1)", canonical_sql(tag));
    let mut whole: HashSet<Cow<'_, str>> = whole_tags().chain(UNKNOWN.map(Cow::Borrowed)).collect();
    // Of the keys without a hyphen only those matter here that may have the form of a language joined with a region.
    whole.extend(keys().map(|(key, _)| key).filter(|key| (4..=7).contains(&key.len())));
    let mut whole: Vec<_> = whole.iter().map(|key| literal(key)).collect();
    whole.sort();
    format!(
        "case when {plain} in ({}) then {plain} \
        when regexp_full_match({trimmed}, '[a-z]{{2,3}}[A-Z]([A-Za-z]|[A-Za-z]{{3}})') \
        then regexp_extract({trimmed}, '^[a-z]+') \
        when regexp_full_match({trimmed}, '[A-Z]{{4}}') then lower(left({trimmed}, 2)) \
        else split_part({plain}, '-', 1) end",
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
    let rows: Vec<_> = keys().map(|(key, name)| format!("({}, {})", literal(&key), literal(name))).collect();
    rows.chunks(6).map(|line| format!("    {}", line.join(", "))).collect::<Vec<_>>().join(",\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tags, the language that each names, and its name in reports.
    const TAGS: [(&str, Option<&str>, Option<&str>); 76] = [
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
        ("None", None, None),
        ("NULL", None, Some("null")),
        ("NONE", None, None),
        ("n/a", None, None),
        ("N/A", None, None),
        ("undefined", None, None),
        ("Undefined ", None, None),
        ("zhHant", Some("Chinese"), Some("Chinese")),
        ("zhHans", Some("Chinese"), Some("Chinese")),
        ("srLatn", Some("Serbian"), Some("Serbian")),
        ("filPh", Some("Filipino"), Some("Filipino")),
        ("filPH", Some("Filipino"), Some("Filipino")),
        ("porBr", Some("Portuguese"), Some("Portuguese")),
        ("PTBR", Some("Portuguese"), Some("Portuguese")),
        ("ENUS", Some("English"), Some("English")),
        ("de.UTF-8", Some("German"), Some("German")),
        ("de_AT.utf8@euro", Some("German"), Some("German")),
        ("sr@latin", Some("Serbian"), Some("Serbian")),
        ("sr_RS@latin", Some("Serbian"), Some("Serbian")),
        ("English", Some("English"), Some("English")),
        ("GERMAN", Some("German"), Some("German")),
        ("norwegian bokmål", Some("Norwegian Bokmål"), Some("Norwegian Bokmål")),
        ("Serbo-Croatian", Some("Serbo-Croatian"), Some("Serbo-Croatian")),
        ("THAI", Some("Thai"), Some("Thai")),
        ("Ga", Some("Irish"), Some("Irish")),
        ("pt\n", Some("Portuguese"), Some("Portuguese")),
        ("\tpt-BR\r\n", Some("Portuguese"), Some("Portuguese")),
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
            assert_eq!(key, canonical(&key));
            assert!(met.insert(key.clone()), "{key}");
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
            ("English", language("English")),
            ("english\n", language("English")),
            ("zhHant", language("Chinese")),
            ("PTBR", language("Portuguese")),
            ("None", Meant::Unknown),
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
