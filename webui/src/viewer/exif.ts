// Reads when and with what a photo was taken, from the first bytes of its file: the Exif of JPEG, HEIC, AVIF, PNG and
// WebP is the same block, a small TIFF file (Exif 2.32, CIPA DC-008).

export interface Exif {
  /** As the camera wrote it: 2026-05-17T14:03:09, in its own time zone. */
  taken?: string
  camera?: string
  lens?: string
  /** Seconds that the shutter was open. */
  exposure?: number
  /** The focal length through the width of the opening: the 2.8 in f/2.8. */
  aperture?: number
  sensitivity?: number
  /** The focal length in millimetres. */
  focal?: number
}

/** Bytes of a file in which its Exif is looked for. */
export const HEAD = 128 * 1024

/** What stands before the block: in JPEG and HEIC, in PNG, in WebP (with the length of the block behind it). */
const MARKS = [['Exif\0\0', 6], ['eXIf', 4], ['EXIF', 8]] as const

const MAKE = 0x010f
const MODEL = 0x0110
const DETAILS = 0x8769
const EXPOSURE = 0x829a
const APERTURE = 0x829d
const SENSITIVITY = 0x8827
const TAKEN = 0x9003
const FOCAL = 0x920a
const LENS = 0xa434

const TEXT = 2
const SHORT = 3
const LONG = 4
const RATIONAL = 5
const BYTES: Record<number, number> = { [TEXT]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8 }
const MOST_ENTRIES = 512
const MOST_LETTERS = 200

type Entries = Map<number, string | number>

/** Returns what the Exif of a file says; nothing of a file without any, or with a broken one. */
export function exifOf(bytes: Uint8Array): Exif {
  const block = blockOf(bytes)
  if (!block) return {}
  const main = entriesAt(block, block.numberAt(4, 4))
  const details = entriesAt(block, Number(main.get(DETAILS) ?? 0))
  const text = (entries: Entries, tag: number) => (typeof entries.get(tag) === 'string' ? (entries.get(tag) as string) : '')
  const number = (tag: number) => {
    const value = Number(details.get(tag))
    return Number.isFinite(value) && value > 0 ? value : undefined
  }
  const [, date, time] = /^(\d{4}:\d\d:\d\d) (\d\d:\d\d:\d\d)$/.exec(text(details, TAKEN)) ?? []
  const found = {
    taken: date && !date.startsWith('0000') ? `${date.replaceAll(':', '-')}T${time}` : undefined,
    camera: cameraOf(text(main, MAKE), text(main, MODEL)),
    lens: text(details, LENS) || undefined,
    exposure: number(EXPOSURE),
    aperture: number(APERTURE),
    sensitivity: number(SENSITIVITY),
    focal: number(FOCAL),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

/** Many models begin with their make already. */
function cameraOf(make: string, model: string): string | undefined {
  const [brand = ''] = make.split(' ')
  return (model.toLowerCase().startsWith(brand.toLowerCase()) ? model : `${brand} ${model}`).trim() || undefined
}

/** Numbers and texts of a TIFF block, which are 0 and empty beyond its end. */
class Block {
  #view: DataView
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isLittle: boolean,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  numberAt(at: number, length: 2 | 4): number {
    if (at + length > this.bytes.length) return 0
    return length === 2 ? this.#view.getUint16(at, this.isLittle) : this.#view.getUint32(at, this.isLittle)
  }

  textAt(at: number, length: number): string {
    const letters = this.bytes.subarray(at, at + Math.min(length, MOST_LETTERS))
    return new TextDecoder().decode(letters).split('\0')[0]!.trim()
  }
}

function blockOf(bytes: Uint8Array): Block | undefined {
  const text = new TextDecoder('latin1').decode(bytes)
  for (const [mark, skip] of MARKS) {
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
      const magic = text.slice(at + skip, at + skip + 4)
      if (magic === 'II*\0' || magic === 'MM\0*') return new Block(bytes.subarray(at + skip), magic === 'II*\0')
    }
  }
  return undefined
}

/** The entries of a directory by their tags, of the kinds that are needed. */
function entriesAt(block: Block, start: number): Entries {
  const found: Entries = new Map()
  if (!start) return found
  const count = Math.min(block.numberAt(start, 2), MOST_ENTRIES)
  for (let entry = 0; entry < count; entry++) {
    const at = start + 2 + entry * 12
    const [tag, kind, length] = [block.numberAt(at, 2), block.numberAt(at + 2, 2), block.numberAt(at + 4, 4)]
    const isInline = (BYTES[kind] ?? 0) * length <= 4
    const place = isInline ? at + 8 : block.numberAt(at + 8, 4)
    if (!place) continue // the block ends before it
    if (kind === TEXT) found.set(tag, block.textAt(place, length))
    else if (kind === SHORT) found.set(tag, block.numberAt(place, 2))
    else if (kind === LONG) found.set(tag, block.numberAt(place, 4))
    else if (kind === RATIONAL) found.set(tag, block.numberAt(place, 4) / block.numberAt(place + 4, 4))
  }
  return found
}
