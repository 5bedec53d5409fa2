// Work that follows a hand: one piece at a time, at an even pace, and always what was wanted last.

/** Milliseconds from one beginning to the next. */
export const PACE = 200

export class Pace<Wanted> {
  #next: { wanted: Wanted } | undefined
  #isBusy = false
  #began = -PACE
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly work: (wanted: Wanted) => Promise<void>) {}

  /** Asks for a piece of work, instead of what was asked for and has not begun. */
  ask(wanted: Wanted): void {
    this.#next = { wanted }
    if (!this.#isBusy) this.#plan()
  }

  /** Begins nothing more. */
  end(): void {
    clearTimeout(this.#timer)
    this.#next = undefined
  }

  #plan(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#go(), Math.max(0, this.#began + PACE - performance.now()))
  }

  async #go(): Promise<void> {
    if (!this.#next) return
    const { wanted } = this.#next
    this.#next = undefined
    this.#isBusy = true
    this.#began = performance.now()
    await this.work(wanted)
    this.#isBusy = false
    if (this.#next) this.#plan()
  }
}
