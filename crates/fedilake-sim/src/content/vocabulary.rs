//! The words of a language: common ones first, invented ones after, drawn by Zipf's law.
//!
//! Words are kept as HTML text (entities where Mastodon writes them), free of `"` and `\`, so that they can be copied
//! into a JSON string as they are. Lengths count Unicode scalar values of the decoded word.

use std::sync::OnceLock;

use super::common_words;
use super::language::{LANGUAGES, Language, Script};
use crate::dice::{Dice, Purpose};

/// Words up to this many characters can be asked for by length.
pub(crate) const EXACT_MAX: usize = 12;

/// Invented words do not depend on the seed: a language is the same in every simulation.
const SEED: u64 = 0x0066_6564_696c_616b;

/// A word as HTML text.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) html: &'a str,
    pub(crate) characters: usize,
}

/// The words of one language.
pub(crate) struct Vocabulary {
    text: String,
    words: Vec<Span>,
    log2_len: f64,
    by_characters: [Vec<u32>; EXACT_MAX + 1],
    /// Sentences begin with a capital letter.
    pub(crate) cased: bool,
    /// Words stand apart.
    pub(crate) spaced: bool,
    /// Ends a sentence; one character.
    pub(crate) stop: &'static str,
    /// Parts a sentence; one character.
    pub(crate) comma: &'static str,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    bytes: u16,
    characters: u16,
}

impl Vocabulary {
    /// The vocabulary of the language at `index`, made at its first use.
    pub(crate) fn of(index: usize) -> &'static Vocabulary {
        static ALL: [OnceLock<Vocabulary>; LANGUAGES.len()] = [const { OnceLock::new() }; LANGUAGES.len()];
        ALL[index].get_or_init(|| Vocabulary::invent(index))
    }

    fn invent(index: usize) -> Vocabulary {
        let language = &LANGUAGES[index];
        let mut dice = Dice::new(SEED, Purpose::Words, index as u64);
        let len = match index {
            0..=17 => 9_000,
            18..=40 => 3_000,
            _ => 1_500,
        };
        let mut vocabulary = Vocabulary {
            text: String::new(),
            words: Vec::with_capacity(len),
            log2_len: ((len + 1) as f64).log2(),
            by_characters: Default::default(),
            cased: matches!(language.script, Script::Latin | Script::Cyrillic | Script::Greek | Script::Armenian),
            spaced: !matches!(
                language.script,
                Script::Japanese | Script::Han | Script::Thai | Script::Lao | Script::Khmer | Script::Burmese
            ),
            stop: match language.script {
                Script::Japanese | Script::Han => "。",
                Script::Devanagari | Script::Bengali | Script::Gurmukhi | Script::Oriya => "।",
                Script::Armenian => "։",
                Script::Ethiopic => "።",
                Script::Tibetan => "།",
                Script::Burmese => "။",
                Script::Khmer => "។",
                _ => ".",
            },
            comma: match language.script {
                Script::Japanese | Script::Han => "、",
                Script::Arabic | Script::Thaana => "،",
                Script::Tibetan => "་",
                _ => ",",
            },
        };
        let common = common_words::of(language.code);
        let roots: Vec<&str> = common.as_ref().map(|c| c.words.split(' ').collect()).unwrap_or_default();
        let endings: Vec<&str> =
            common.as_ref().map(|c| c.endings.split(' ').filter(|e| !e.is_empty()).collect()).unwrap_or_default();
        for root in &roots {
            vocabulary.add(root);
        }
        let sounds = Sounds::of(language, &mut dice);
        let mut word = String::new();
        while vocabulary.words.len() < len {
            word.clear();
            if !endings.is_empty() && dice.chance(0.6) {
                let root = *dice.pick(&roots);
                word.push_str(if root.contains('&') { "over" } else { root });
                if dice.chance(0.25) {
                    sounds.syllable(&mut dice, &mut word);
                }
                word.push_str(endings[dice.index(endings.len())]);
            } else {
                for _ in 0..sounds.syllables(&mut dice) {
                    sounds.syllable(&mut dice, &mut word);
                }
            }
            // A syllable may leave out all of its parts.
            if !word.is_empty() {
                vocabulary.add(&word);
            }
        }
        vocabulary
    }

    fn add(&mut self, html: &str) {
        let characters = decoded_characters(html);
        let span = Span { start: self.text.len() as u32, bytes: html.len() as u16, characters: characters as u16 };
        self.text.push_str(html);
        if let Some(same_length) = self.by_characters.get_mut(characters) {
            same_length.push(self.words.len() as u32);
        }
        self.words.push(span);
    }

    /// Any word, the common ones more often.
    pub(crate) fn word(&self, dice: &mut Dice) -> Word<'_> {
        self.at(dice.zipf(self.words.len(), self.log2_len))
    }

    /// A word free of entities, for fields that are not HTML.
    pub(crate) fn plain_word(&self, dice: &mut Dice) -> &str {
        loop {
            let word = self.word(dice);
            if !word.html.contains('&') {
                return word.html;
            }
        }
    }

    /// A word of exactly that many characters, if the language has one.
    pub(crate) fn word_of(&self, characters: usize, dice: &mut Dice) -> Option<Word<'_>> {
        let same_length = self.by_characters.get(characters)?;
        if same_length.is_empty() {
            return None;
        }
        // Squared, so that the common words of that length come more often.
        let unit = dice.unit();
        Some(self.at(same_length[(unit * unit * same_length.len() as f64) as usize] as usize))
    }

    fn at(&self, index: usize) -> Word<'_> {
        let span = self.words[index];
        let start = span.start as usize;
        Word { html: &self.text[start..start + span.bytes as usize], characters: span.characters as usize }
    }
}

fn decoded_characters(html: &str) -> usize {
    html.chars().count() - html.matches("&#39;").count() * 4 - html.matches("&amp;").count() * 4
}

/// The sounds of a language's syllables.
struct Sounds {
    script: Script,
    onsets: Vec<String>,
    nuclei: Vec<String>,
    codas: Vec<String>,
    coda_chance: f64,
}

impl Sounds {
    fn of(language: &Language, dice: &mut Dice) -> Sounds {
        let (onsets, nuclei, codas, coda_chance) = letters(language.script);
        let mut sounds = Sounds {
            script: language.script,
            onsets: split(onsets),
            nuclei: split(nuclei),
            codas: split(codas),
            coda_chance,
        };
        if matches!(language.script, Script::Latin | Script::Cyrillic) {
            // A language uses some of the sounds, and some of them more than others.
            dice.shuffle(&mut sounds.onsets);
            sounds.onsets.truncate(sounds.onsets.len() * 2 / 3);
            sounds.nuclei.extend(split(nuclei));
        }
        sounds.nuclei.extend(language.vowels.chars().map(String::from));
        sounds.onsets.extend(language.consonants.chars().map(String::from));
        sounds
    }

    fn syllables(&self, dice: &mut Dice) -> u64 {
        match self.script {
            Script::Han => 1 + dice.below(2),
            Script::Japanese => 1 + dice.below(3),
            Script::Hangul => 1 + dice.below(4),
            _ => 1 + (dice.below(3) + dice.below(3)) / 2 + dice.below(2),
        }
    }

    fn syllable(&self, dice: &mut Dice, out: &mut String) {
        if self.script == Script::Hangul {
            out.push(hangul(dice));
            return;
        }
        if !self.onsets.is_empty() && dice.chance(0.93) {
            out.push_str(&self.onsets[skewed(dice, self.onsets.len())]);
        }
        if !self.nuclei.is_empty() {
            out.push_str(&self.nuclei[skewed(dice, self.nuclei.len())]);
        }
        if !self.codas.is_empty() && dice.chance(self.coda_chance) {
            out.push_str(&self.codas[skewed(dice, self.codas.len())]);
        }
    }
}

fn skewed(dice: &mut Dice, len: usize) -> usize {
    let unit = dice.unit();
    (unit * unit.sqrt() * len as f64) as usize
}

fn hangul(dice: &mut Dice) -> char {
    const LEADS: [u32; 14] = [11, 0, 9, 2, 3, 6, 5, 12, 18, 7, 14, 16, 17, 15];
    const VOWELS: [u32; 10] = [0, 20, 4, 8, 18, 13, 5, 1, 6, 12];
    const TAILS: [u32; 6] = [0, 4, 8, 21, 1, 16];
    let lead = LEADS[skewed(dice, LEADS.len())];
    let vowel = VOWELS[skewed(dice, VOWELS.len())];
    let tail = if dice.chance(0.4) { TAILS[skewed(dice, TAILS.len())] } else { 0 };
    char::from_u32(0xac00 + (lead * 21 + vowel) * 28 + tail).expect("a composed Hangul syllable")
}

/// Parts separated by spaces; a single long part is split into its characters.
fn split(parts: &str) -> Vec<String> {
    if parts.contains(' ') {
        parts.split(' ').map(String::from).collect()
    } else {
        parts.chars().map(String::from).collect()
    }
}

/// Onsets, nuclei, codas, and how often a syllable is closed.
fn letters(script: Script) -> (&'static str, &'static str, &'static str, f64) {
    match script {
        Script::Latin => (
            "t n s r l d m k p v g b h f j w z c st tr pr br kr gr fl sk sp qu th sh ch ny",
            "e a i o u",
            "n r s l t m k ng st d",
            0.42,
        ),
        Script::Cyrillic => ("н т с р в л к м п д б г з х ж ч ш ц ст пр кр тр", "о е а и у", "н т й р л м к", 0.4),
        Script::Greek => ("τνσρκπμλδγθφχβζξψ", "αοειηυω", "ςνρλ", 0.4),
        Script::Armenian => ("նրկտսմլպդբգհվթշչյխծձ", "աեիոու", "նրկլմս", 0.4),
        Script::Georgian => ("ნრსდმვლბთკგხშტცძზფქღყჩ", "აიეოუ", "ნსლრმდ", 0.3),
        Script::Hebrew => ("ילהמרבתשנאכדקפחעסגטצז", "ויא", "םןרתלה", 0.35),
        Script::Arabic => ("لمنرتبسدعفقحكهشجصطخزذضثغظ", "اوي", "نةرمتلد", 0.4),
        Script::Devanagari => ("करनसतमलहपदबयगजवशथखचभटधडछझघठणष", "ा े ि ी ो ु ै ं ू औ", "न र त ल क", 0.3),
        Script::Bengali => ("করনসতমলহপদবযগজশথখচভটধডছঝঘ", "া ে ি ী ো ু ূ", "ন র ত ল ক", 0.3),
        Script::Gurmukhi => ("ਕਰਨਸਤਮਲਹਪਦਬਯਗਜਵਥਖਚਭਟਧਡ", "ਾ ੇ ਿ ੀ ੋ ੁ ੂ", "ਨ ਰ ਤ ਲ ਕ", 0.3),
        Script::Gujarati => ("કરનસતમલહપદબયગજવશથખચભટધડ", "ા ે િ ી ો ુ ૂ", "ન ર ત લ ક", 0.3),
        Script::Oriya => ("କରନସତମଲହପଦବଯଗଜଶଥଖଚଭଟଧଡ", "ା େ ି ୀ ୋ ୁ ୂ", "ନ ର ତ ଲ କ", 0.3),
        Script::Tamil => ("கரநசதமலபயவனளறணழஜ", "ா ி ு ே ை ோ ெ", "ன் ர் ல் ம் க் த்", 0.45),
        Script::Telugu => ("కరనసతమలహపదబయగజవశచటడ", "ా ి ు ే ో ె ీ", "ం ల ర న", 0.3),
        Script::Kannada => ("ಕರನಸತಮಲಹಪದಬಯಗಜವಶಚಟಡ", "ಾ ಿ ು ೇ ೋ ೆ ೀ", "ಂ ಲ ರ ನ", 0.3),
        Script::Malayalam => ("കരനസതമലഹപദബയഗജവശചടള", "ാ ി ു േ ോ െ ീ", "ം ൽ ർ ൻ", 0.4),
        Script::Sinhala => ("කරනසතමලහපදබයගජවචටඩ", "ා ි ු ේ ෝ ෙ ී", "ය න ල ම", 0.3),
        Script::Thai => ("กนรสมลตทวดบปคงยหพชอจขผ", "า ะ ิ ี ุ ู อ", "นงมกยดบ", 0.5),
        Script::Lao => ("ກນສມລຕທວດບປຄຫພຊອຂ", "າ ະ ິ ີ ຸ ູ", "ນງມກຍດ", 0.5),
        Script::Tibetan => ("ཀགངཅཇཏདནཔབམཙཟཡརལཤས", "ི ུ ེ ོ", "ང་ ན་ ད་ ས་ ་", 0.8),
        Script::Burmese => ("ကခငစတဒနပမယရလသဟအ", "ာ ိ ု ေ ီ ူ", "န် င် တ် ့", 0.45),
        Script::Khmer => ("កខងចជតទនបពមយរលសហអ", "ា ិ ុ េ ី ូ ោ", "នងមករ", 0.45),
        Script::Ethiopic => ("ለመሰረበተነከወየደገሀአ", "ልምስርብትንክውይድግህ", "ን ት ም", 0.25),
        Script::Thaana => ("ހށނރބޅކއވމފދތލގސޑޒ", "ަ ާ ި ީ ު ޫ ެ ޭ ޮ ޯ", "ން ތް އް", 0.3),
        Script::Syllabics => ("ᐱᑎᑭᒥᓂᓯᓕᔨᕕᕆ", "ᐊᐅᓄᒪᑦ", "ᑦᒃᓐᖅ", 0.4),
        Script::Japanese => (common_words::KANJI, "のにるいきくりしたみえうって", "", 0.0),
        Script::Han => (common_words::HANZI, "", "", 0.0),
        Script::Hangul => ("", "", "", 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_a_json_string_as_they_are() {
        for (index, language) in LANGUAGES.iter().enumerate() {
            let vocabulary = Vocabulary::of(index);
            assert!(vocabulary.words.len() >= 1_500, "{}", language.code);
            assert!(!vocabulary.text.contains(['"', '\\', '<', '>', '\n', '\'']), "{}", language.code);
            for word in (0..vocabulary.words.len()).map(|at| vocabulary.at(at)) {
                assert!(
                    !word.html.is_empty() && !word.html.contains(char::is_whitespace),
                    "{} {}",
                    language.code,
                    word.html
                );
            }
        }
    }
}
