// Short messages: what has happened, with a way to undo it, and what only screen readers are told.

export interface Notice {
  id: number
  text: string
  tone: 'plain' | 'alarm'
  action?: { label: string; run: () => void | Promise<void> }
  /** What it is about: it goes when something else is said about that, or when it is not true any more. */
  about?: Topic
}

export type Topic = 'connection' | 'pause'

/** Messages that stay beside a new one. */
const MOST = 5

class Notices {
  all = $state<Notice[]>([])
  /** The last words for screen readers. */
  spoken = $state('')
  #next = 1

  show(text: string, more: { tone?: Notice['tone']; action?: Notice['action']; about?: Topic; seconds?: number } = {}): number {
    const notice: Notice = { id: this.#next++, text, tone: more.tone ?? 'plain' }
    if (more.action) notice.action = more.action
    if (more.about) {
      this.end(more.about)
      notice.about = more.about
    }
    // the same words again are news, but no second message
    const others = this.all.filter((each) => each.action || each.text !== text)
    // of more than fit, what can be undone stays longest
    const [ways, plain] = [others.filter((each) => each.action).slice(-MOST), others.filter((each) => !each.action)]
    const kept = [...ways, ...(ways.length < MOST ? plain.slice(ways.length - MOST) : [])]
    this.all = [...others.filter((each) => kept.includes(each)), notice]
    setTimeout(() => this.close(notice.id), (more.seconds ?? (more.tone === 'alarm' ? 12 : 6)) * 1000)
    return notice.id
  }

  close(id: number): void {
    this.all = this.all.filter((notice) => notice.id !== id)
  }

  /** Takes away what is not true any more. */
  end(about: Topic): void {
    this.all = this.all.filter((notice) => notice.about !== about)
  }

  say(text: string): void {
    // the same words twice are only spoken twice if they differ
    this.spoken = this.spoken === text ? `${text}\u00a0` : text
  }
}

export const notices = new Notices()
