// What becomes of the pictures that were uploaded here, from their storing until they are processed.

import type { State } from '../../api/client'

/** Changes of pictures that are remembered, as they may be told before the upload's own answer. */
const REMEMBERED = 5000
/** Milliseconds over which the pace is taken. */
const SPAN = 20_000

export interface Outcome {
  total: number
  done: number
  failed: number
  pending: number
  /** Seconds until all are processed; infinite while nothing tells. */
  left: number
}

export class Outcomes {
  #heard = new Map<string, State>()
  #own = new Map<string, State>()
  /** When pictures ended lately, in milliseconds. */
  #ends: number[] = []

  /** A picture was stored, or is here already; what was heard of it before counts. */
  add(id: string): void {
    if (!this.#own.has(id)) this.#own.set(id, this.#heard.get(id) ?? 'queued')
  }

  hear(id: string, state: State, now: number): void {
    this.#heard.delete(id)
    this.#heard.set(id, state)
    const [oldest] = this.#heard.keys()
    if (this.#heard.size > REMEMBERED) this.#heard.delete(oldest!)
    const before = this.#own.get(id)
    if (!before) return
    this.#own.set(id, state)
    if (isOver(state) && !isOver(before)) this.#ends.push(now)
  }

  /** A picture was deleted: nobody waits for it any more. */
  drop(id: string): void {
    this.#heard.delete(id)
    this.#own.delete(id)
  }

  clear(): void {
    this.#own.clear()
    this.#ends = []
  }

  /** Ids that are not processed yet, as far as was heard. */
  pending(most: number): string[] {
    return [...this.#own].filter(([, state]) => !isOver(state)).slice(0, most).map(([id]) => id)
  }

  at(now: number): Outcome {
    const states = [...this.#own.values()]
    const done = states.filter((state) => state === 'done').length
    const failed = states.filter((state) => state === 'failed').length
    const pending = states.length - done - failed
    this.#ends = this.#ends.filter((end) => now - end < SPAN)
    const since = this.#ends[0]
    const pace = this.#ends.length > 1 && since !== undefined && now > since ? (this.#ends.length - 1) / (now - since) : 0
    return { total: states.length, done, failed, pending, left: pace ? pending / pace / 1000 : Infinity }
  }
}

const isOver = (state: State): boolean => state === 'done' || state === 'failed'
