import { describe, expect, it } from 'vitest'
import { exifOf } from './exif'

type Entry = [tag: number, kind: number, value: string | number | [number, number]]

/** A TIFF block: the main directory with the camera, and one with the details. */
function block(isLittle: boolean): Uint8Array {
  const main: Entry[] = [[0x010f, 2, 'Canon'], [0x0110, 2, 'Canon EOS R6'], [0x8769, 4, 0]]
  const details: Entry[] = [[0x829a, 5, [1, 250]], [0x829d, 5, [28, 10]], [0x8827, 3, 400], [0x9003, 2, '2026:05:17 14:03:09'], [0x920a, 5, [35, 1]], [0xa434, 2, 'RF24-105mm F4']]
  const bytes = new Uint8Array(512)
  const view = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode(isLittle ? 'II*\0' : 'MM\0*'))
  view.setUint32(4, 8, isLittle)
  let free = 200
  const write = (start: number, entries: Entry[]) => {
    view.setUint16(start, entries.length, isLittle)
    entries.forEach(([tag, kind, value], index) => {
      const at = start + 2 + index * 12
      view.setUint16(at, tag, isLittle)
      view.setUint16(at + 2, kind, isLittle)
      view.setUint32(at + 4, typeof value === 'string' ? value.length + 1 : 1, isLittle)
      if (kind === 3) view.setUint16(at + 8, value as number, isLittle)
      else if (kind === 4) view.setUint32(at + 8, value as number, isLittle)
      else {
        view.setUint32(at + 8, free, isLittle)
        if (typeof value === 'string') bytes.set(new TextEncoder().encode(value), free)
        else (value as number[]).forEach((part, half) => view.setUint32(free + half * 4, part, isLittle))
        free += 40
      }
    })
  }
  main[2]![2] = 80
  write(8, main)
  write(80, details)
  return bytes
}

const joined = (...parts: (string | Uint8Array)[]) =>
  new Uint8Array(parts.flatMap((part) => [...(typeof part === 'string' ? Uint8Array.from(part, (letter) => letter.charCodeAt(0)) : part)]))

const ALL = { taken: '2026-05-17T14:03:09', camera: 'Canon EOS R6', lens: 'RF24-105mm F4', exposure: 1 / 250, aperture: 2.8, sensitivity: 400, focal: 35 }

describe('the Exif of a file', () => {
  it.each([['JPEG', 'ÿØÿá\x02\x08Exif\0\0'], ['PNG', '\x89PNG\r\n\x1a\n\0\0\x02\0eXIf'], ['WebP', 'RIFF\0\x02\0\0WEBPEXIF\0\x02\0\0'], ['HEIC', 'ftypheic....Exif....Exif\0\0']])('is read from a %s', (_, head) => {
    expect(exifOf(joined(head, block(true)))).toEqual(ALL)
    expect(exifOf(joined(head, block(false)))).toEqual(ALL)
  })

  it('is nothing where there is none', () => {
    expect(exifOf(joined('ÿØÿà\0\x10JFIF'))).toEqual({})
    expect(exifOf(new Uint8Array())).toEqual({})
  })

  it('is never more than its bytes say, wherever they end and whatever they are', () => {
    const whole = joined('Exif\0\0', block(true))
    for (let end = 0; end < whole.length; end++) {
      const { taken, focal, ...rest } = exifOf(whole.slice(0, end))
      expect([undefined, ALL.taken]).toContain(taken)
      expect([undefined, ALL.focal]).toContain(focal)
      expect(Object.keys(ALL)).toEqual(expect.arrayContaining(Object.keys(rest)))
    }
    let seed = 7
    for (let round = 0; round < 3000; round++) {
      const broken = whole.slice()
      for (let times = 0; times < 8; times++) {
        seed = (seed * 1664525 + 1013904223) >>> 0
        broken[10 + (seed % 200)] = seed >>> 24
      }
      for (const value of Object.values(exifOf(broken))) expect(['string', 'number']).toContain(typeof value)
    }
  })
})
