// How many pixels of a picture have which level.

/** Columns of a histogram. */
export const COLUMNS = 64
/** A picture is counted in so many pixels at most across. */
const SIDE = 256

export type Histogram = Record<'red' | 'green' | 'blue', number[]>

/** Counts the levels of red, green and blue in the pixels of a canvas; what is transparent does not count. */
export function count(pixels: Uint8ClampedArray): Histogram {
  const found: Histogram = { red: empty(), green: empty(), blue: empty() }
  const columns = [found.red, found.green, found.blue]
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3]! < 128) continue
    columns.forEach((column, channel) => column[(pixels[at + channel]! * COLUMNS) >> 8]!++)
  }
  return found
}

const empty = () => new Array<number>(COLUMNS).fill(0)

/** The outline of one colour as an SVG path, `COLUMNS` wide and 1 high; the highest column but those at the ends, where pictures are cut off, is full. */
export function outline(column: number[], { red, green, blue }: Histogram): string {
  const most = Math.max(1, ...[red, green, blue].flatMap((each) => each.slice(1, -1)))
  const points = column.map((amount, index) => `${index} ${1 - Math.min(1, Math.sqrt(amount / most))}`)
  return `M0 1L${points.join('L')}L${COLUMNS - 1} 1Z`
}

/** Counts the levels of a picture that is shown. */
export function histogramOf(image: HTMLImageElement): Histogram {
  const scale = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight))
  const [width, height] = [Math.max(1, Math.round(image.naturalWidth * scale)), Math.max(1, Math.round(image.naturalHeight * scale))]
  const pen = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
  if (!pen) return count(new Uint8ClampedArray())
  pen.drawImage(image, 0, 0, width, height)
  return count(pen.getImageData(0, 0, width, height).data)
}
