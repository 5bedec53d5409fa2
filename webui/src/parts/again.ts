/** Milliseconds before the first new attempt; each further one waits twice as long. */
const SOON = 1000
const TIMES = 6

/** Loads a picture again that did not come, as a busy or restarting server refuses some: for a minute, while it is on the page. */
export function again(image: HTMLImageElement): void {
  let failures = 0
  image.addEventListener('load', () => (failures = 0))
  image.addEventListener('error', () => {
    if (failures === TIMES) return
    setTimeout(() => image.isConnected && (image.src = image.src), SOON * 2 ** failures++)
  })
}
