/** Values of which a few are so great that the rest would be a flat line beside them. */

/** The usual value, if the greatest is many times it; `null` if a linear scale shows them all. */
export function skewOf(values: number[]): number | null {
  const sorted = values.filter(value => value > 0).sort((a, b) => a - b)
  const usual = sorted[Math.floor(sorted.length * 0.8)]
  return sorted.length >= 8 && usual !== undefined && sorted.at(-1)! > 8 * usual ? usual : null
}

/** Zero and powers of ten up to the greatest, at most so many; for logarithmic scales that begin at zero. */
export function logTicks(usual: number, greatest: number, most: number): number[] {
  const powers = Array.from({ length: 16 }, (_, power) => 10 ** power).filter(value => value >= usual / 10 && value <= greatest)
  const every = Math.max(1, Math.ceil(powers.length / (most - 1)))
  return [0, ...powers.filter((_, index) => (powers.length - 1 - index) % every === 0)]
}
