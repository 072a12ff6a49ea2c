//! Traits of a person, drawn from their number.

use std::sync::LazyLock;

use super::language::{self, LANGUAGES};
use crate::dice::{Dice, Purpose};

/// A person's standing traits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Traits {
    pub(crate) bot: bool,
    /// An index into [`LANGUAGES`].
    pub(crate) language: usize,
}

/// The traits of person `number`.
pub(crate) fn traits(seed: u64, number: u64) -> Traits {
    let mut dice = Dice::new(seed, Purpose::Person, number);
    Traits { bot: dice.chance(0.06), language: draw_language(&mut dice) }
}

/// A language, in proportion to its writers.
fn draw_language(dice: &mut Dice) -> usize {
    static UP_TO: LazyLock<Vec<f64>> = LazyLock::new(|| {
        (0..LANGUAGES.len())
            .scan(0.0, |sum, index| {
                *sum += language::share(index);
                Some(*sum)
            })
            .collect()
    });
    let at = dice.unit() * UP_TO[LANGUAGES.len() - 1];
    UP_TO.partition_point(|up_to| *up_to <= at)
}

/// The length of a post's text, before any calibration: few are empty, most short, some reach a server's limit.
pub(crate) fn draw_characters(language: usize, dice: &mut Dice) -> u32 {
    use super::language::Script;
    let (median, spread) = match LANGUAGES[language].script {
        Script::Han => (44.0, 0.95),
        Script::Japanese => (36.0, 0.95),
        Script::Hangul => (50.0, 0.95),
        _ => (118.0, 0.95),
    };
    if dice.chance(0.012) {
        return 0;
    }
    let drawn = (f64::ln(median) + spread * dice.normal()).exp();
    // Most servers stop at 500 characters.
    let limit = if dice.chance(0.03) { 4_000.0 } else { 500.0 - dice.unit() * dice.unit() * 60.0 };
    drawn.clamp(1.0, limit) as u32
}
