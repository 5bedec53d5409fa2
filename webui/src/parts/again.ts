/** Milliseconds before the first new attempt; each further one waits twice as long. */
const SOON = 1000
const TIMES = 6

/** Loads a picture again that did not come, as a busy or restarting server refuses some: for a minute, while it is on the page. */
export function again(image: HTMLImageElement): void {
  let failures = 0
  let failed = ''
  image.addEventListener('load', () => (failures = 0))
  image.addEventListener('error', () => {
    const address = image.src
    if (address !== failed) failures = 0
    failed = address
    if (failures === TIMES) return
    // not all pictures at the same moment
    const wait = SOON * 2 ** failures++ * (1 + Math.random() / 2)
    setTimeout(() => image.isConnected && image.src === address && (image.src = address), wait)
  })
}
