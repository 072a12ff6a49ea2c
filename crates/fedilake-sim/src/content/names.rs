//! Usernames and display names.

use super::language::{LANGUAGES, Script};
use super::vocabulary::Vocabulary;
use crate::dice::Dice;

const GIVEN: [&str; 128] = [
    "ada", "adele", "aiko", "alba", "alma", "amara", "anika", "anouk", "arlo", "asta", "aude", "aurel", "bela",
    "berit", "bodil", "bruno", "calla", "cato", "ciro", "cleo", "dagny", "dalia", "dario", "demir", "dilan", "dorit",
    "edda", "elio", "elke", "elske", "emre", "enzo", "esma", "fabio", "faye", "fenna", "fleur", "freya", "gael",
    "gisli", "greta", "gudrun", "hana", "harun", "hedda", "helmi", "hugo", "ida", "ilse", "imre", "inka", "irma",
    "isak", "ivo", "jada", "jarl", "jorun", "juno", "kaisa", "kaito", "kalle", "karim", "katia", "keiko", "kofi",
    "lars", "laszlo", "leila", "lena", "levi", "lidia", "linus", "liv", "lotte", "luca", "maeve", "magnus", "maija",
    "malik", "marek", "mateo", "mei", "milan", "mina", "mirela", "nadia", "nara", "nils", "noor", "nuria", "odile",
    "olga", "omar", "orla", "oskar", "otto", "paavo", "pavel", "petra", "priya", "quinn", "rafa", "ragna", "reza",
    "rhea", "riku", "rosa", "runa", "sanna", "sefa", "selma", "signe", "silas", "soraya", "sven", "tamar", "tariq",
    "thea", "tilda", "tomas", "ulrik", "una", "vera", "viggo", "wanda", "yara", "yuki", "zora",
];
const FAMILY: [&str; 128] = [
    "aalto",
    "abara",
    "achter",
    "adeyo",
    "akker",
    "alcazar",
    "almeda",
    "anker",
    "arbeau",
    "asano",
    "aspen",
    "avelar",
    "bakke",
    "balint",
    "barrow",
    "basque",
    "becker",
    "bellamo",
    "berg",
    "birk",
    "blom",
    "borja",
    "brandt",
    "brekke",
    "brisk",
    "burgos",
    "calder",
    "carrow",
    "castor",
    "cervin",
    "chanda",
    "cobb",
    "corvo",
    "dahl",
    "darrow",
    "delgo",
    "demarco",
    "dogan",
    "drake",
    "dubrov",
    "dunmore",
    "eklund",
    "elgar",
    "enge",
    "ersoy",
    "falk",
    "farrow",
    "fenwick",
    "ferro",
    "finch",
    "fjeld",
    "forsen",
    "fuji",
    "galan",
    "garrow",
    "gerber",
    "glass",
    "gotham",
    "grau",
    "greve",
    "hagen",
    "halvor",
    "harlow",
    "hertz",
    "holm",
    "horvat",
    "ibarra",
    "ilves",
    "imada",
    "iversen",
    "jansky",
    "jarvi",
    "kallas",
    "kaplan",
    "karlen",
    "kestrel",
    "kimura",
    "kivi",
    "kovar",
    "kruse",
    "laine",
    "lander",
    "larkin",
    "lemaire",
    "lind",
    "lorca",
    "lunde",
    "maki",
    "marlow",
    "mendez",
    "merel",
    "mori",
    "nakai",
    "navarro",
    "nemeth",
    "nilsen",
    "noble",
    "norr",
    "novak",
    "oakes",
    "okoro",
    "olivar",
    "orban",
    "osei",
    "pardo",
    "pell",
    "petrov",
    "pinto",
    "quist",
    "rask",
    "ravn",
    "reiter",
    "rios",
    "rivera",
    "sable",
    "sandoz",
    "sato",
    "schilling",
    "sorel",
    "stark",
    "strand",
    "tanaka",
    "tevez",
    "thorn",
    "umar",
    "varga",
    "weaver",
    "zeller",
];
const BOT_ENDINGS: [&str; 8] = ["_bot", "_news", "_feed", "_headlines", "_weather", "_rss", "_daily", "_alerts"];
const FACES: [&str; 24] = [
    "🌻", "🐈", "🚲", "🎧", "📚", "🌈", "☕", "🎨", "🦊", "🌊", "🍀", "🌙", "🐧", "🎲", "🧶", "🔭", "🏔", "🎸", "🦉",
    "🌵", "🚂", "🪴", "🐢", "✨",
];

/// The username of person `number`: no two numbers below 2^20 have the same one in one seed.
pub(crate) fn username(seed: u64, number: u64, bot: bool) -> String {
    let turned = (number.wrapping_mul(0x9e37_79b1).wrapping_add(seed) & 0xf_ffff) as usize;
    let (given, family, form) = (GIVEN[turned & 127], FAMILY[turned >> 7 & 127], turned >> 14);
    // A number of people beyond 2^20 starts the names again, with its count.
    let around = number >> 20;
    let mut name = match form % 4 {
        0 => format!("{given}_{family}"),
        1 => format!("{given}{family}"),
        2 => format!("{family}_{given}"),
        _ => format!("{given}_{}", &family[..3]),
    };
    match (form / 4, form % 4) {
        (decade, 3) => name.push_str(&format!("{decade:02}{}", turned >> 7 & 127)),
        (0, _) => {}
        (decade, _) => name.push_str(&(decade * 7 + 2).to_string()),
    }
    if around > 0 {
        name.push_str(&format!("x{around}"));
    }
    if bot {
        name.push_str(BOT_ENDINGS[turned % BOT_ENDINGS.len()]);
    }
    name
}

/// Returns a person's display name, in the language they write, as text that needs no JSON escapes.
pub(crate) fn display_name(username: &str, bot: bool, language: usize, dice: &mut Dice, out: &mut String) {
    let script = LANGUAGES[language].script;
    let words = username.split(|c: char| c == '_' || c.is_ascii_digit()).filter(|word| !word.is_empty());
    match dice.below(20) {
        0 => {}
        1..=3 => out.push_str(username),
        _ if !matches!(script, Script::Latin) && !bot && dice.chance(0.8) => {
            let vocabulary = Vocabulary::of(language);
            out.push_str(vocabulary.plain_word(dice));
            out.push_str(vocabulary.plain_word(dice));
        }
        _ => {
            for word in words {
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push(word.as_bytes()[0].to_ascii_uppercase() as char);
                out.push_str(&word[1..]);
            }
        }
    }
    if dice.chance(0.22) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if dice.chance(0.3) { ":verified:" } else { FACES[dice.index(FACES.len())] });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_people_have_the_same_username() {
        for (seed, count) in [(0, 1_u64 << 18), (7, 1 << 20), (u64::MAX, 1 << 18)] {
            let names: HashSet<String> = (0..count).map(|number| username(seed, number, number % 9 == 0)).collect();
            assert_eq!(names.len() as u64, count);
        }
    }
}
