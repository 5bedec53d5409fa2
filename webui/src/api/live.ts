// Follows the server-sent events of the API for as long as the page is open, and comes back to them after a break.

import type { Image, Stats } from './client'

export type Change = Image | { id: string; deleted: true }

export interface Listener {
  /** A new stream: everything that is shown may be old. */
  fresh(): void
  images(changes: Change[]): void
  stats(stats: Stats): void
  connected(is: boolean): void
}

const PATIENCE = [1000, 2000, 4000, 8000]
/** Milliseconds without a sign of life, of which there is one every ten seconds: a server that hangs closes no connection. */
const SILENCE = 25_000

/** Tells `listener` what happens; returns what ends it. */
export function follow(listener: Listener): () => void {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = ''
  let tries = 0
  let waiting: Change[] = []
  let frame = 0
  let heard = performance.now()

  const flush = () => {
    frame = 0
    const changes = waiting
    waiting = []
    listener.images(changes)
  }

  const open = () => {
    source = new EventSource(last ? `/api/events?last_event_id=${encodeURIComponent(last)}` : '/api/events')
    source.onopen = () => {
      tries = 0
      heard = performance.now()
      listener.connected(true)
    }
    source.onerror = () => {
      listener.connected(false)
      // the browser comes back by itself after a cut, but not after an answer such as 502
      if (source?.readyState !== EventSource.CLOSED) return
      timer = setTimeout(open, PATIENCE[Math.min(tries++, PATIENCE.length - 1)])
    }
    const hear = (name: string, act: (event: MessageEvent<string>) => void) =>
      source?.addEventListener(name, (event) => {
        last = event.lastEventId || last
        heard = performance.now()
        act(event as MessageEvent<string>)
      })
    hear('alive', () => undefined)
    hear('ready', () => listener.fresh())
    hear('reset', () => listener.fresh())
    hear('stats', (event) => listener.stats(JSON.parse(event.data) as Stats))
    hear('image', (event) => {
      waiting.push(JSON.parse(event.data) as Change)
      // many changes come at once: they are shown together
      frame ||= window.setTimeout(flush, 50)
    })
  }

  const watch = () => {
    if (performance.now() - heard < SILENCE || source?.readyState === EventSource.CLOSED) return
    heard = performance.now()
    listener.connected(false)
    source?.close()
    open()
  }

  open()
  const watching = setInterval(watch, 1000)
  return () => {
    source?.close()
    clearInterval(watching)
    clearTimeout(timer)
    clearTimeout(frame)
  }
}
