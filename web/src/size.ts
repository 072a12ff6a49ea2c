/** The size of an element, followed. */
import { useLayoutEffect, useState } from 'preact/hooks'
import type { RefObject } from 'preact'

export function useSize(element: RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 })
  useLayoutEffect(() => {
    const watched = element.current!
    const take = () => {
      const next = { width: Math.floor(watched.clientWidth), height: Math.floor(watched.clientHeight) }
      setSize(last => (last.width === next.width && last.height === next.height ? last : next))
    }
    take()
    const observer = new ResizeObserver(take)
    observer.observe(watched)
    return () => observer.disconnect()
  }, [])
  return size
}

/** True once a wait has lasted so long that a reader wants to see that something is coming. */
export function useLate(waiting: boolean, ms = 150): boolean {
  const [late, setLate] = useState(false)
  useLayoutEffect(() => {
    setLate(false)
    if (!waiting) return
    const timer = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(timer)
  }, [waiting])
  return waiting && late
}
