// Ignores the second half of a double click whose first half changed the view: it was not meant for what lies there now.

const MILLISECONDS = 500
const PIXELS = 16

/** Watches the clicks of a page; `changedAt` says when the view or the shown picture changed last (as `performance.now()`). Returns what ends it. */
export function ignoreSecondClicks(changedAt: () => number): () => void {
  let last = { x: Infinity, y: Infinity, at: -Infinity }
  const judge = (event: MouseEvent) => {
    if (!event.detail) return // a key was pressed
    const isNear = Math.hypot(event.clientX - last.x, event.clientY - last.y) < PIXELS
    // browsers count the clicks of a double click, but not all of them where another element lies there now
    const isSecond = event.detail > 1 || event.timeStamp - changedAt() < MILLISECONDS
    if (isNear && isSecond && last.at < changedAt()) {
      event.preventDefault()
      event.stopImmediatePropagation()
    } else last = { x: event.clientX, y: event.clientY, at: event.timeStamp }
  }
  addEventListener('click', judge, true)
  return () => removeEventListener('click', judge, true)
}
