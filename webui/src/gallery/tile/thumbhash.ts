// Draws what a picture roughly looks like from some 25 bytes: ThumbHash by Evan Wallace (https://github.com/evanw/thumbhash,
// MIT licence). The server makes them, see imagomortis/picture/thumbhash.py.

/** Colours are stored in few steps; the reference draws them stronger by this. */
const VIVID = 1.25

/** The terms of a channel behind its mean, for each pair of frequencies in x and y. */
type Terms = [x: number, y: number, share: number][]

/** Returns the pixels, as RGBA, of a hash in base64. */
export function draw(text: string, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
  const hash = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  const bits = (at: number, from: number, count: number) => ((hash[at]! | ((hash[at + 1] ?? 0) << 8) | ((hash[at + 2] ?? 0) << 16)) >> from) & ((1 << count) - 1)
  const isClear = bits(0, 23, 1) === 1
  const isWide = bits(3, 15, 1) === 1
  const [long, short] = [isClear ? 5 : 7, bits(3, 0, 3)]
  let digit = isClear ? 12 : 10
  const terms = (across: number, down: number, scale: number): Terms => {
    const found: Terms = []
    for (let y = 0; y < down; y++) {
      for (let x = y ? 0 : 1; x * down < across * (down - y); x++) {
        const value = (hash[digit >> 1]! >> ((digit++ & 1) << 2)) & 15
        found.push([x, y, 2 * (value / 7.5 - 1) * scale])
      }
    }
    return found
  }
  const light = terms(Math.max(3, isWide ? long : short), Math.max(3, isWide ? short : long), bits(0, 18, 5) / 31)
  const yellow = terms(3, 3, (bits(3, 3, 6) / 63) * VIVID)
  const reddish = terms(3, 3, (bits(3, 9, 6) / 63) * VIVID)
  const clear = isClear ? terms(5, 5, (hash[5]! >> 4) / 15) : []

  const [wavesX, wavesY] = [waves(width), waves(height)]
  const pixels = new Uint8ClampedArray(width * height * 4)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 4) {
      const value = (mean: number, channel: Terms) => channel.reduce((sum, [across, down, share]) => sum + share * wavesX[across]![x]! * wavesY[down]![y]!, mean)
      // only the mean has the weight of one
      const l = value(bits(0, 0, 6) / 63, light)
      const p = value(bits(0, 6, 6) / 31.5 - 1, yellow)
      const q = value(bits(0, 12, 6) / 31.5 - 1, reddish)
      const blue = l - (2 / 3) * p
      const red = (3 * l - blue + q) / 2
      pixels[at] = 255 * red
      pixels[at + 1] = 255 * (red - q)
      pixels[at + 2] = 255 * blue
      pixels[at + 3] = isClear ? 255 * value((hash[5]! & 15) / 15, clear) : 255
    }
  }
  return pixels
}

/** Pixels a side of what tiles show: the browser smooths and stretches them. */
const SIDE = 16
const MOST = 3000
const addresses = new Map<string, string>()

/** Returns a data address of a small square picture of a hash: an uncompressed BMP, as no canvas is as quick to make. */
export function addressOf(hash: string): string {
  const found = addresses.get(hash) ?? `data:image/bmp;base64,${btoa(String.fromCharCode(...bitmap(draw(hash, SIDE, SIDE))))}`
  if (addresses.size > MOST) addresses.clear()
  addresses.set(hash, found)
  return found
}

/** A BMP file of RGBA pixels without their opacity: two headers, then blue, green and red from the lowest row up. */
function bitmap(pixels: Uint8ClampedArray): Uint8Array {
  const head = 54
  const file = new Uint8Array(head + SIDE * SIDE * 3)
  const view = new DataView(file.buffer)
  file.set([0x42, 0x4d])
  view.setUint32(2, file.length, true)
  view.setUint32(10, head, true)
  view.setUint32(14, 40, true)
  view.setInt32(18, SIDE, true)
  view.setInt32(22, SIDE, true)
  view.setUint16(26, 1, true)
  view.setUint16(28, 24, true)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const from = (y * SIDE + x) * 4
      file.set([pixels[from + 2]!, pixels[from + 1]!, pixels[from]!], head + ((SIDE - 1 - y) * SIDE + x) * 3)
    }
  }
  return file
}

const known = new Map<number, number[][]>()

function waves(length: number): number[][] {
  const found = known.get(length) ?? Array.from({ length: 7 }, (_, turn) => Array.from({ length }, (_, at) => Math.cos((Math.PI / length) * turn * (at + 0.5))))
  known.set(length, found)
  return found
}
