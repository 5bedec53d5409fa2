// Short messages: what has happened, with a way to undo it, and what only screen readers are told.

export interface Notice {
  id: number
  text: string
  tone: 'plain' | 'alarm'
  action?: { label: string; run: () => void | Promise<void> }
}

class Notices {
  all = $state<Notice[]>([])
  /** The last words for screen readers. */
  spoken = $state('')
  #next = 1

  show(text: string, more: { tone?: Notice['tone']; action?: Notice['action']; seconds?: number } = {}): number {
    const notice: Notice = { id: this.#next++, text, tone: more.tone ?? 'plain' }
    if (more.action) notice.action = more.action
    // the same words again are news, but no second message
    const others = this.all.filter((each) => each.action || each.text !== text)
    this.all = [...others.slice(-3), notice]
    setTimeout(() => this.close(notice.id), (more.seconds ?? (more.tone === 'alarm' ? 12 : 6)) * 1000)
    return notice.id
  }

  close(id: number): void {
    this.all = this.all.filter((notice) => notice.id !== id)
  }

  say(text: string): void {
    // the same words twice are only spoken twice if they differ
    this.spoken = this.spoken === text ? `${text}\u00a0` : text
  }
}

export const notices = new Notices()
