//! The lengths of all posts: drawn by language, then brought to the exact sum, least and most.

use super::targets::Targets;

/// Brings `lengths` to the targets' sum, with one post as long as the longest and one empty. `longest` is the index of
/// the one to be the longest.
pub(crate) fn calibrate(lengths: &mut [u32], longest: usize, targets: &Targets) {
    if lengths.len() < 3 {
        return;
    }
    let max = targets.characters_max;
    if !lengths.contains(&0) {
        let other = (longest + 1) % lengths.len();
        lengths[other] = 0;
    }
    lengths[longest] = 0;
    let target = targets.characters_sum - u64::from(max).min(targets.characters_sum);
    let scaled = |length: u32, factor: f64| match length {
        0 => 0,
        _ => ((f64::from(length) * factor) as u32).clamp(1, max - 1),
    };
    let sum_at = |factor: f64| lengths.iter().map(|length| u64::from(scaled(*length, factor))).sum::<u64>();
    let (mut low, mut high) = (0.0, 64.0);
    for _ in 0..48 {
        let middle = (low + high) / 2.0;
        if sum_at(middle) <= target { low = middle } else { high = middle }
    }
    lengths.iter_mut().for_each(|length| *length = scaled(*length, low));
    // The scale comes close from below; what is missing goes to posts of a middling length, one character each.
    let mut missing = target.saturating_sub(lengths.iter().map(|length| u64::from(*length)).sum());
    while missing > 0 {
        let before = missing;
        for length in lengths.iter_mut().filter(|length| (1..max - 1).contains(*length)) {
            if missing == 0 {
                break;
            }
            *length += 1;
            missing -= 1;
        }
        if missing == before {
            break;
        }
    }
    lengths[longest] = max;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_the_least_and_the_most_are_exact() {
        for posts in [10_u64, 1_000, 60_000] {
            let targets = Targets::of(posts);
            let mut lengths: Vec<u32> = (0..posts as u32).map(|at| at * 7_919 % 400).collect();
            calibrate(&mut lengths, 4, &targets);
            assert_eq!(lengths.iter().map(|l| u64::from(*l)).sum::<u64>(), targets.characters_sum);
            assert_eq!(lengths.iter().max(), Some(&targets.characters_max));
            assert_eq!(lengths.iter().min(), Some(&0));
        }
    }
}
