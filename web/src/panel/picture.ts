/** A panel as a picture that can be passed on: title, unit, filter and moment are written on it. */
import type { Report } from '../api'
import { filterText } from '../filter/text'
import { live } from '../page'
import type { Range, State } from '../state'

export interface Picture {
  report: Report
  state: State
  range: Range
  svg: SVGSVGElement | null
}

const SVG = 'http://www.w3.org/2000/svg'
const [HEAD, FOOT, EDGE] = [48, 34, 12]
/** Properties that the page's stylesheet gives and a file must carry itself. */
const CARRIED = ['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-opacity', 'stroke-dasharray', 'opacity', 'font-family', 'font-size', 'font-weight', 'text-anchor', 'font-variant-numeric']

/** The picture as one SVG with no need of a stylesheet. */
export function drawnPicture({ report, state, range, svg }: Picture): SVGSVGElement {
  const own = svg!
  const [width, height] = [own.viewBox.baseVal.width, own.viewBox.baseVal.height]
  const whole = document.createElementNS(SVG, 'svg')
  const full = [width + 2 * EDGE, height + HEAD + FOOT] as const
  for (const [name, value] of Object.entries({ xmlns: SVG, width: full[0], height: full[1], viewBox: `0 0 ${full[0]} ${full[1]}` })) whole.setAttribute(name, String(value))
  const page = getComputedStyle(document.documentElement)
  const colour = (name: string) => page.getPropertyValue(name).trim()
  const paper = whole.appendChild(document.createElementNS(SVG, 'rect'))
  for (const [name, value] of Object.entries({ width: '100%', height: '100%', fill: colour('--panel') })) paper.setAttribute(name, value)
  const font = getComputedStyle(document.body).fontFamily
  const write = (text: string, y: number, size: number, ink: string, weight = '400') => {
    const line = whole.appendChild(document.createElementNS(SVG, 'text'))
    for (const [name, value] of Object.entries({ x: EDGE, y, fill: colour(ink), 'font-family': font, 'font-size': size, 'font-weight': weight })) line.setAttribute(name, String(value))
    line.textContent = text
  }
  write(report.title, 20, 14, '--ink', '600')
  write(`${report.unit} of ${report.of} · ${state.timezone}`, 37, 11, '--soft')
  const copy = carried(own)
  copy.setAttribute('x', String(EDGE))
  copy.setAttribute('y', String(HEAD))
  whole.append(copy)
  const moment = new Date(live.value.newest ?? Date.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  write(filterText(state, range), HEAD + height + 14, 11, '--soft')
  write(`fedilake, newest post ${moment}`, HEAD + height + 28, 10, '--soft')
  return whole
}

export function svgFile(picture: Picture): void {
  const text = new XMLSerializer().serializeToString(drawnPicture(picture))
  save(new Blob([text], { type: 'image/svg+xml' }), `${picture.report.name}.svg`)
}

export async function pictureFile(picture: Picture): Promise<void> {
  const drawn = drawnPicture(picture)
  const source = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(drawn)], { type: 'image/svg+xml' }))
  const image = new Image()
  image.src = source
  await image.decode()
  const canvas = document.createElement('canvas')
  const scale = 2
  canvas.width = drawn.width.baseVal.value * scale
  canvas.height = drawn.height.baseVal.value * scale
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height)
  URL.revokeObjectURL(source)
  canvas.toBlob(blob => save(blob!, `${picture.report.name}.png`), 'image/png')
}

/** Hands a file to the browser. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

function carried(svg: SVGSVGElement): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement
  const [shown, copied] = [[svg, ...svg.querySelectorAll('*')], [copy, ...copy.querySelectorAll('*')]]
  shown.forEach((element, index) => {
    const style = getComputedStyle(element)
    for (const name of CARRIED) copied[index]!.setAttribute(name, style.getPropertyValue(name))
    copied[index]!.removeAttribute('class')
    copied[index]!.removeAttribute('style')
  })
  return copy
}
