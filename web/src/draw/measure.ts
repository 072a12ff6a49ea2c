/** Widths of texts as the page writes them. */

const context = document.createElement('canvas').getContext('2d')!
const widths = new Map<string, number>()

export function textWidth(text: string): number {
  let width = widths.get(text)
  if (width === undefined) {
    if (widths.size > 5000) widths.clear()
    context.font = `12px ${getComputedStyle(document.documentElement).fontFamily}`
    widths.set(text, (width = context.measureText(text).width))
  }
  return width
}

/** A text cut so that it is at most so wide; the whole of it is in the tip. */
export function fitted(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  let length = text.length
  while (length > 1 && textWidth(`${text.slice(0, length)}…`) > width) length--
  return `${text.slice(0, length).trimEnd()}…`
}

/** The margin that names need beside a drawing, at most a share of its width. */
export function marginFor(names: string[], width: number, share = 0.42): number {
  return Math.min(width * share, 12 + Math.max(20, ...names.map(textWidth)))
}
