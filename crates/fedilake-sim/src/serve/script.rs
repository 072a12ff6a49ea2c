//! A fault script: which fault begins at which server when, and for how long, by seed.

use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use crate::dice::{Dice, Purpose};

/// A fault of one server for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The server's index.
    pub server: usize,
    /// Time from the script's beginning.
    pub at: Duration,
    /// The fault.
    pub fault: Fault,
    /// Its length.
    pub lasts: Duration,
}

/// Faults in the order in which they begin. A server has one at a time, and none at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A silence that no reader can tell from chance at first: that of a Redis restart.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Faults that send a hundred megabytes are drawn this much less often than others.
const HEAVY: f64 = 0.2;

impl Script {
    /// The script of that seed, for so many servers. The same arguments give the same script, always. Faults last up
    /// to a tenth of `length`, are about as long apart, and the last fifth of `length` has none.
    pub fn draw(seed: u64, servers: usize, length: Duration) -> Script {
        let mut steps: Vec<Step> = (0..servers).flat_map(|server| Script::of_server(seed, server, length)).collect();
        steps.sort_by_key(|step| (step.at, step.server));
        Script { steps }
    }

    fn of_server(seed: u64, server: usize, length: Duration) -> Vec<Step> {
        let mut dice = Dice::new(seed, Purpose::Script, server as u64);
        let mut steps = Vec::new();
        let end = length.mul_f64(0.8);
        let mut at = length.mul_f64(0.03 + 0.1 * dice.unit());
        loop {
            let fault = draw_fault(&mut dice);
            let longest = if fault == Fault::Silent { SILENCE_MAX.min(length / 10) } else { length / 10 };
            let lasts = longest.mul_f64(0.1 + 0.9 * dice.unit());
            if at + lasts > end {
                return steps;
            }
            steps.push(Step { server, at, fault, lasts });
            at += lasts + (length / 10).mul_f64(0.2 + 1.6 * dice.unit());
        }
    }

    /// The time at which the last fault is over.
    pub fn end(&self) -> Duration {
        self.steps.iter().map(|step| step.at + step.lasts).max().unwrap_or_default()
    }
}

fn draw_fault(dice: &mut Dice) -> Fault {
    loop {
        let fault = *dice.pick(Fault::drawn());
        if !matches!(fault, Fault::EndlessLine | Fault::HugeStatus) || dice.chance(HEAVY) {
            return fault;
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { server, at, fault, lasts } in &self.steps {
            let (at, lasts) = (at.as_secs_f64(), lasts.as_secs_f64());
            writeln!(f, "{at:>8.3} s  server {server}  {fault} for {lasts:.3} s")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_script_and_another_seed_another() {
        let script = |seed| Script::draw(seed, 3, Duration::from_secs(60));
        assert_eq!(script(7), script(7));
        assert_ne!(script(7), script(8));
        assert!(script(7).to_string().lines().count() == script(7).steps.len());
    }

    #[test]
    fn a_server_has_one_fault_at_a_time_and_all_are_over_before_the_end() {
        let length = Duration::from_secs(60);
        let mut kinds = BTreeSet::new();
        for seed in 0..200 {
            let script = Script::draw(seed, 4, length);
            assert!(script.end() <= length.mul_f64(0.8) && !script.steps.is_empty());
            assert!(script.steps.is_sorted_by_key(|step| step.at));
            for server in 0..4 {
                let own: Vec<&Step> = script.steps.iter().filter(|step| step.server == server).collect();
                assert!(own.windows(2).all(|two| two[0].at + two[0].lasts < two[1].at));
            }
            kinds.extend(script.steps.iter().map(|step| step.fault.as_str()));
        }
        assert_eq!(kinds.len(), Fault::drawn().len(), "every fault of scripts is drawn");
    }
}
