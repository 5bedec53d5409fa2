// The uploads of this page: the queue, joined to the network and shown at most a few times a second.

import { notices } from '../notices.svelte'
import { t } from '../texts'
import { objection } from './files'
import { Queue } from './queue'

const SHOWN_EVERY = 120
const KEPT = 'imagomortis.unfinished'

class Uploads {
  /** Rises when something in the queue changed. */
  version = $state(0)
  isOpen = $state(false)
  /** Files that wait for a person to choose their recipe. */
  offered = $state.raw<{ files: AsyncIterable<File> | Iterable<File>; count: number | null } | null>(null)
  /** How many were left when the page was closed the last time. */
  left = $state(Number(localStorage.getItem(KEPT) ?? 0))
  #timer: ReturnType<typeof setTimeout> | undefined
  #announced = 0
  #wasOpen = false

  readonly queue = new Queue({
    transport: async () => (await import('./transport')).createTransport(),
    digest: async (file) => (await import('./digests')).digest(file),
    known: async (digests) => (await import('./digests')).known(digests),
    isThere: () =>
      fetch('/upload/healthz').then(
        (answer) => answer.ok,
        () => false,
      ),
    objection,
    changed: () => {
      this.#timer ??= setTimeout(() => this.#show(), SHOWN_EVERY)
    },
    now: () => performance.now(),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  })

  constructor() {
    addEventListener('beforeunload', (event) => {
      if (this.queue.open) event.preventDefault()
    })
    addEventListener('pagehide', () => {
      if (this.queue.open) localStorage.setItem(KEPT, String(this.queue.open))
      else if (!this.left) localStorage.removeItem(KEPT)
    })
  }

  offer(files: AsyncIterable<File> | Iterable<File>, count: number | null): void {
    this.offered = { files, count }
  }

  async start(files: AsyncIterable<File> | Iterable<File>, recipe: string): Promise<void> {
    this.isOpen = true
    this.left = 0
    localStorage.removeItem(KEPT)
    await this.queue.add(files, recipe)
  }

  forgetLeft(): void {
    this.left = 0
    localStorage.removeItem(KEPT)
  }

  #show(): void {
    this.#timer = undefined
    this.version++
    const { queue } = this
    const isBusy = queue.open > 0
    const percent = queue.totalBytes ? Math.floor((queue.sentBytes / queue.totalBytes) * 10) * 10 : 0
    if (isBusy && percent !== this.#announced && percent > 0 && percent < 100) {
      this.#announced = percent
      notices.say(t.upload.announce(percent))
    }
    if (this.#wasOpen && !isBusy) {
      this.#announced = 0
      notices.say(t.upload.ended(queue.counts.done, queue.counts.refused))
    }
    this.#wasOpen = isBusy
  }
}

export const uploads = new Uploads()
