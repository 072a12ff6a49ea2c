/** The time line over all posts, with a brush that chooses a range. */
import * as Plot from '@observablehq/plot'
import { brushX, type BrushSelection, type D3BrushEvent } from 'd3-brush'
import { select } from 'd3-selection'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import { answerOf } from '../answers'
import type { Rows } from '../api'
import { number, place, plot, text } from '../draw/drawing'
import { timeMarks } from '../draw/line'
import { logTicks, skewOf } from '../draw/skew'
import { besideBreak, timeAxis, timeTicks, type TimeAxis } from '../draw/time'
import { exact, rangeText, short, wallClockText } from '../numbers'
import { change, range, said, state } from '../page'
import { GAPS, ghostLineAsked, TIME_LINE, wholeAsked } from '../questions'
import { unreadOfRows, type Unread } from './gaps'
import { useSize } from '../size'
import { nearestStep, stepAt, WIDTH } from '../steps'
import { instantOf, wallOf, wallOfText } from '../zone'

interface Step {
  at: number
  posts: number
}
const [LEFT, RIGHT, HEIGHT] = [44, 12, 92]

export function TimeLine() {
  const now = state.value
  const frame = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLDivElement>(null)
  const { width } = useSize(frame)
  const [hover, setHover] = useState<Step | null>(null)
  const last = useRef<Step[] | undefined>(undefined)
  const answer = answerOf(TIME_LINE, wholeAsked(now))
  const steps = useMemo(() => (answer?.rows ? stepsOf(answer.rows, now.timezone) : undefined), [answer, now.timezone]) ?? last.current
  last.current = steps
  const ghostAsked = ghostLineAsked(now)
  const ghostAnswer = ghostAsked === null ? undefined : answerOf(TIME_LINE, ghostAsked)
  const ghost = useMemo(() => (ghostAnswer?.rows ? stepsOf(ghostAnswer.rows, now.timezone) : []), [ghostAnswer, now.timezone])
  const gapsAnswer = answerOf(GAPS, wholeAsked(now))
  // The same gaps are no reason to draw anew, but one that lasts grows by the minute.
  const gapRows = gapsAnswer?.rows?.rows ?? []
  const unread = useMemo(() => (gapsAnswer?.rows ? unreadOfRows(gapsAnswer.rows) : []), [JSON.stringify(gapRows), gapRows.length > 0 && Math.floor(Date.now() / 60_000)])
  const wall = (at: number) => wallOf(at, now.timezone)
  const step = WIDTH[now.by]
  const axis = useMemo(() => timeAxis([...(steps ?? []), ...ghost].filter(({ posts }) => posts > 0).map(({ at }) => at), step), [steps, ghost, step])
  const span = axis === null ? null : ([axis.at(axis.domain[0]), axis.at(axis.domain[1])] as const)
  const chosen = range.value
  const shownRange = { from: chosen.from === null ? null : wall(chosen.from), to: chosen.to === null ? null : wall(chosen.to) }
  const drawing = useMemo(() => (width < 60 || axis === null ? null : drawSteps(steps ?? [], ghost, unread, axis, width, step, wall)), [axis, width, unread])
  // While the reader drags, the drawing stays, whatever comes: a new one would take the brush from under the pointer.
  const isDragged = useRef(false)
  const [drags, setDrags] = useState(0)
  const brush = useRef<{ move: (selection: BrushSelection | null) => void } | null>(null)

  useEffect(() => {
    if (isDragged.current) return
    if (!drawing) return void canvas.current!.replaceChildren()
    const { svg, timeAt } = drawing
    document.adoptNode(svg)
    const behaviour = brushX<unknown>().extent([[LEFT, 4], [width - RIGHT, HEIGHT - 20]]).handleSize(10)
    // After a drag that changed nothing the drawing is the same one, with the brush of before.
    select(svg).selectAll('.brush').remove()
    const layer = select(svg).append('g').attr('class', 'brush')
    let moving = false
    behaviour.on('start', (event: D3BrushEvent<unknown>) => {
      if (!moving && event.sourceEvent) isDragged.current = true
    })
    behaviour.on('end', (event: D3BrushEvent<unknown>) => {
      if (moving || !event.sourceEvent) return
      isDragged.current = false
      setDrags(count => count + 1)
      if (event.selection === null) return change({ from: null, to: null, last: null })
      const [a, b] = (event.selection as [number, number]).map(at => nearestStep(timeAt(at), state.value.by)) as [number, number]
      choose(a, b === a ? a + WIDTH[state.value.by] : b)
    })
    layer.call(behaviour)
    layer.selectAll('rect').attr('aria-hidden', 'true')
    brush.current = {
      move: selection => {
        moving = true
        layer.call(behaviour.move, selection)
        moving = false
      },
    }
    canvas.current!.replaceChildren(svg)
  }, [drawing, drags])

  useEffect(() => {
    if (!drawing || span === null || brush.current === null || isDragged.current) return
    const { from, to } = shownRange
    const inside = (at: number) => Math.max(LEFT, Math.min(width - RIGHT, drawing.pixelOf(at)))
    brush.current.move(from === null && to === null ? null : [inside(from ?? span[0]), inside(to ?? span[1])])
  }, [drawing, drags, shownRange.from, shownRange.to])

  const choose = (from: number, to: number) => {
    const zone = state.value.timezone
    change({ from: instantOf(from, zone), to: instantOf(to, zone), last: null })
    said.value = rangeText(from, to)
  }
  const onPointerMove = (event: PointerEvent) => {
    if (!drawing || !steps) return
    const at = stepAt(drawing.timeAt(event.clientX - frame.current!.getBoundingClientRect().left), now.by)
    setHover(steps.find(step => step.at === at) ?? null)
  }
  return (
    <section class="time-line" aria-label="Time line">
      <div class="frame" ref={frame} onPointerMove={onPointerMove} onPointerLeave={() => setHover(null)}>
        <div class="canvas" ref={canvas} aria-hidden="true" />
        {drawing && span && (['from', 'to'] as const).map(side => {
          const value = shownRange[side] ?? span[side === 'from' ? 0 : 1]
          return (
            <div
              class={`handle ${side}`} role="slider" tabIndex={0} aria-label={side === 'from' ? 'Beginning of the range' : 'End of the range'}
              aria-valuemin={span[0]} aria-valuemax={span[1]} aria-valuenow={value} aria-valuetext={wallClockText(value, true)}
              style={{ left: `${Math.max(LEFT, Math.min(width - RIGHT, drawing.pixelOf(value)))}px` }}
              onKeyDown={event => {
                const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 24, PageDown: -24 }[event.key]
                const wanted = by !== undefined ? besideBreak(axis!, nearestStep(value, now.by) + by * step, by > 0) : event.key === 'Home' ? span[0] : event.key === 'End' ? span[1] : null
                if (wanted === null) return
                event.preventDefault()
                const [from, to] = [shownRange.from ?? span[0], shownRange.to ?? span[1]]
                if (side === 'from') choose(Math.max(span[0], Math.min(wanted, to - step)), to)
                else choose(from, Math.min(span[1], Math.max(wanted, from + step)))
              }}
            />
          )
        })}
        {hover && drawing && <div class="tip" style={tipAt(drawing.pixelOf(hover.at), width)}>{wallClockText(hover.at, now.by !== 'hour')} <b>{exact(hover.posts)}</b> posts</div>}
        {now.notes.map(note => drawing && <Note at={drawing.pixelOf(wall(note.at))} text={note.text} moment={wallClockText(wall(note.at), true)} remove={() => change({ notes: state.value.notes.filter(other => other !== note) })} />)}
        {steps === undefined && answer?.problem && <p class="trouble" role="alert">{answer.problem.message}</p>}
      </div>
      {unread.length > 0 && <p class="unseen">Not read: {unread.map(gap => `${gap.server} ${rangeText(wall(gap.from), wall(gap.to))}`).join('; ')}</p>}
    </section>
  )
}

function Note({ at, text, moment, remove }: { at: number; text: string; moment: string; remove: () => void }) {
  return <button type="button" class="time-note" style={{ left: `${at}px` }} title={`${moment}: ${text}. Click removes the note.`} onClick={remove}>{text}</button>
}

function stepsOf({ columns, rows }: Rows, zone: string): Step[] {
  const [at, posts] = [place(columns, 'starts_at'), place(columns, 'posts')]
  return rows.map(row => ({ at: wallOfText(text(row[at]), zone), posts: number(row[posts]) }))
}

interface TimeDrawing {
  svg: SVGSVGElement
  pixelOf: (wall: number) => number
  timeAt: (pixel: number) => number
}

function drawSteps(steps: Step[], ghost: Step[], gaps: Unread[], axis: TimeAxis, width: number, step: number, wall: (at: number) => number): TimeDrawing {
  const all = [...steps, ...ghost].map(({ posts }) => posts)
  const most = Math.max(1, ...all)
  const usual = skewOf(all)
  const inner = width - LEFT - RIGHT
  const [begin, end] = [axis.at(axis.domain[0]), axis.at(axis.domain[1])]
  const rect = { x1: ({ at }: Step) => axis.place(at), x2: ({ at }: Step) => axis.place(at + step), y: 'posts', insetRight: inner / ((axis.domain[1] - axis.domain[0]) / step) > 3 ? 1 : 0 }
  const unread = gaps.map(gap => ({ from: Math.max(begin, wall(gap.from)), to: Math.min(end, wall(gap.to)) })).filter(gap => gap.to > gap.from)
  const { svg, scale } = plot({
    width, height: HEIGHT, marginLeft: LEFT, marginRight: RIGHT, marginTop: 4, marginBottom: 20,
    x: { type: 'linear', domain: axis.domain },
    y: usual === null ? { domain: [0, most] } : { type: 'symlog', constant: usual / 10, domain: [0, most] },
    marks: [
      Plot.axisY({ ticks: usual === null ? 2 : logTicks(usual, most, 4), tickSize: 0, tickFormat: short, label: null, fill: 'var(--soft)' }),
      Plot.rectY(ghost, { ...rect, fill: 'var(--ghost)' }),
      Plot.rectY(steps, { ...rect, fill: 'var(--bar)' }),
      Plot.rect(unread, { x1: gap => axis.place(gap.from), x2: gap => axis.place(gap.to), fill: 'url(#unread)' }),
      Plot.ruleY([0], { stroke: 'var(--line)' }),
      timeMarks(axis, timeTicks(axis, inner, { left: 24, right: RIGHT }, step)),
      usual === null ? [] : Plot.text(['logarithmic scale'], { frameAnchor: 'top-left', dx: 4, dy: 2, fill: 'var(--soft)', stroke: 'var(--paper)', strokeWidth: 4 }),
    ],
  })
  svg.insertAdjacentHTML('afterbegin', '<defs><pattern id="unread" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="6" stroke="var(--soft)" stroke-width="1.2" stroke-opacity="0.55"/></pattern></defs>')
  const x = scale('x')
  return { svg, pixelOf: at => x.apply(axis.place(at)) as number, timeAt: pixel => axis.at(Number(x.invert!(pixel))) }
}

function tipAt(x: number, width: number): Record<string, string> {
  return x > width / 2 ? { right: `${width - x + 8}px`, top: '0' } : { left: `${x + 8}px`, top: '0' }
}
