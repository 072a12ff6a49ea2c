/** Colours of categories: the same thing has the same colour in every panel. */

/** Colours of a palette that colour-blind people can tell apart; what comes behind them is grey. */
const COLOURS = 8
const places = new Map<string, number>()

/** A CSS colour for a name of a kind such as `language`. The first eight names of a kind that are met have colours of their own. */
export function colourOf(kind: string, name: string): string {
  const whole = `${kind}:${name}`
  let place = places.get(whole)
  if (place === undefined) {
    place = [...places.keys()].filter(key => key.startsWith(`${kind}:`)).length
    places.set(whole, place)
  }
  return place < COLOURS ? `var(--category-${place + 1})` : 'var(--other)'
}

const SHADES = 9

/** A CSS colour of a heat map for a value between zero and the greatest. Zero has the paper's own. */
export function shadeOf(value: number, greatest: number): string {
  if (value <= 0 || greatest <= 0) return 'var(--heat-0)'
  return `var(--heat-${Math.max(1, Math.min(SHADES, Math.ceil((value / greatest) * SHADES)))})`
}
