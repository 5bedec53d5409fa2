// Six small pictures, drawn here, for whoever has none at hand.

import { t } from '../words/texts'

type Paint = (pen: CanvasRenderingContext2D, width: number, height: number) => void

const WIDTH = 1600
const HEIGHT = 1200

/** Draws the pictures one after the other, as files. */
export async function* draw(): AsyncGenerator<File> {
  for (const [name, paint] of Object.entries(PICTURES)) {
    const canvas = document.createElement('canvas')
    const isTall = name === 'lighthouse'
    canvas.width = isTall ? HEIGHT : WIDTH
    canvas.height = isTall ? WIDTH : HEIGHT
    const pen = canvas.getContext('2d')
    if (!pen) throw new Error(t.problems.cannotDraw)
    paint(pen, canvas.width, canvas.height)
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.9))
    if (!blob) throw new Error(t.problems.cannotWrite)
    yield new File([blob], `${name}.jpg`, { type: 'image/jpeg' })
  }
}

function sky(pen: CanvasRenderingContext2D, width: number, height: number, ...colours: string[]): void {
  const slope = pen.createLinearGradient(0, 0, 0, height)
  colours.forEach((colour, index) => slope.addColorStop(index / (colours.length - 1), colour))
  pen.fillStyle = slope
  pen.fillRect(0, 0, width, height)
}

function disc(pen: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string): void {
  pen.fillStyle = colour
  pen.beginPath()
  pen.arc(x, y, radius, 0, 7)
  pen.fill()
}

/** A line of hills: sums of waves, filled down to the ground. */
function ridge(pen: CanvasRenderingContext2D, width: number, height: number, base: number, swell: number, phase: number, colour: string): void {
  pen.fillStyle = colour
  pen.beginPath()
  pen.moveTo(0, height)
  for (let x = 0; x <= width; x += 4) {
    const at = (x / width) * 6 + phase
    pen.lineTo(x, base - swell * (Math.sin(at) + 0.5 * Math.sin(at * 2.3 + phase) + 0.25 * Math.sin(at * 5.1)))
  }
  pen.lineTo(width, height)
  pen.fill()
}

/** Chance that is the same each time. */
function chance(seed: number): () => number {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0
    return seed / 2 ** 32
  }
}

const PICTURES: Record<string, Paint> = {
  dawn(pen, width, height) {
    sky(pen, width, height, '#2b2350', '#a4486f', '#f29a6b', '#fbdca0')
    disc(pen, width * 0.62, height * 0.56, 110, '#fff1c9')
    for (let layer = 0; layer < 5; layer++) {
      ridge(pen, width, height, height * (0.6 + layer * 0.085), 46 + layer * 12, layer * 2.1, `hsl(${300 - layer * 14} 34% ${44 - layer * 8}%)`)
    }
  },
  meadow(pen, width, height) {
    const random = chance(7)
    sky(pen, width, height, '#7fc4e8', '#d8effa', '#f6f3d8')
    ridge(pen, width, height, height * 0.55, 40, 1, '#9cc58a')
    ridge(pen, width, height, height * 0.68, 34, 3, '#6fa65f')
    ridge(pen, width, height, height * 0.8, 24, 5, '#4b8746')
    for (let flower = 0; flower < 700; flower++) {
      const y = height * (0.72 + 0.28 * random() ** 0.7)
      disc(pen, random() * width, y, 2 + 12 * ((y / height - 0.7) / 0.3), ['#f7d94c', '#ffffff', '#e4572e', '#b565c9'][flower % 4]!)
    }
  },
  lighthouse(pen, width, height) {
    sky(pen, width, height, '#0d1b3d', '#27477f', '#7a8fb8')
    const random = chance(3)
    for (let star = 0; star < 240; star++) disc(pen, random() * width, random() * height * 0.55, 0.6 + random() * 1.8, '#fff8e0')
    const beam = pen.createLinearGradient(width * 0.55, 0, width, 0)
    beam.addColorStop(0, 'rgb(255 236 170 / 0.75)')
    beam.addColorStop(1, 'rgb(255 236 170 / 0)')
    pen.fillStyle = beam
    pen.beginPath()
    pen.moveTo(width * 0.55, height * 0.405)
    pen.lineTo(width, height * 0.28)
    pen.lineTo(width, height * 0.47)
    pen.fill()
    for (let band = 0; band < 6; band++) {
      pen.fillStyle = band % 2 ? '#f5efe4' : '#c23b3b'
      const top = height * (0.43 + band * 0.07)
      const half = 62 + band * 9
      pen.beginPath()
      pen.moveTo(width * 0.55 - half, top)
      pen.lineTo(width * 0.55 + half, top)
      pen.lineTo(width * 0.55 + half + 9, top + height * 0.07)
      pen.lineTo(width * 0.55 - half - 9, top + height * 0.07)
      pen.fill()
    }
    pen.fillStyle = '#2a2a33'
    pen.fillRect(width * 0.55 - 70, height * 0.375, 140, height * 0.055)
    disc(pen, width * 0.55, height * 0.402, 26, '#ffe9a3')
    ridge(pen, width, height, height * 0.86, 26, 2, '#15203a')
    ridge(pen, width, height, height * 0.93, 14, 4, '#0c1428')
  },
  citrus(pen, width, height) {
    sky(pen, width, height, '#f3e9dc', '#ead7bd')
    for (const [x, y, radius, rind, flesh] of [[0.34, 0.52, 330, '#f08a24', '#ffb457'], [0.7, 0.62, 250, '#e5484d', '#ff8f7d'], [0.62, 0.24, 170, '#b7c832', '#e3ec86']] as const) {
      disc(pen, x * width + 18, y * height + 26, radius, 'rgb(90 60 20 / 0.18)')
      disc(pen, x * width, y * height, radius, rind)
      disc(pen, x * width, y * height, radius * 0.91, '#fff6e6')
      for (let wedge = 0; wedge < 9; wedge++) {
        pen.save()
        pen.translate(x * width, y * height)
        pen.rotate((wedge / 9) * Math.PI * 2)
        pen.fillStyle = flesh
        pen.beginPath()
        pen.moveTo(0, radius * 0.07)
        pen.quadraticCurveTo(radius * 0.33, radius * 0.45, radius * 0.24, radius * 0.8)
        pen.quadraticCurveTo(0, radius * 0.9, -radius * 0.24, radius * 0.8)
        pen.quadraticCurveTo(-radius * 0.33, radius * 0.45, 0, radius * 0.07)
        pen.fill()
        pen.restore()
      }
    }
  },
  lagoon(pen, width, height) {
    sky(pen, width, height, '#ffd9b8', '#f7a98b', '#c96f86')
    water(pen, width, height)
    disc(pen, width * 0.3, height * 0.4, 90, '#fff3d6')
    const random = chance(11)
    for (let wave = 0; wave < 420; wave++) {
      const y = height * (0.53 + 0.47 * random() ** 1.4)
      const long = 20 + 180 * (y / height - 0.5)
      pen.strokeStyle = `rgb(255 235 210 / ${0.05 + random() * 0.28})`
      pen.lineWidth = 1 + 4 * (y / height - 0.5)
      const x = random() * width
      pen.beginPath()
      pen.moveTo(x, y)
      pen.quadraticCurveTo(x + long / 2, y - 5, x + long, y)
      pen.stroke()
    }
  },
  tiles(pen, width, height) {
    const colours = ['#1f4e5f', '#79a8a9', '#f4f7f7', '#e8a33d', '#c8553d']
    const random = chance(23)
    sky(pen, width, height, '#f4f7f7', '#f4f7f7')
    for (let y = 0; y < height; y += 200) {
      for (let x = 0; x < width; x += 200) {
        pen.save()
        pen.translate(x + 100, y + 100)
        pen.rotate(Math.floor(random() * 4) * (Math.PI / 2))
        pen.fillStyle = colours[Math.floor(random() * 5)]!
        pen.fillRect(-100, -100, 200, 200)
        pen.fillStyle = colours[Math.floor(random() * 5)]!
        pen.beginPath()
        pen.moveTo(-100, -100)
        pen.arc(-100, -100, 200, 0, Math.PI / 2)
        pen.fill()
        pen.fillStyle = colours[Math.floor(random() * 5)]!
        pen.beginPath()
        pen.moveTo(-100, -100)
        pen.arc(-100, -100, 100, 0, Math.PI / 2)
        pen.fill()
        pen.restore()
      }
    }
  },
}

function water(pen: CanvasRenderingContext2D, width: number, height: number): void {
  const slope = pen.createLinearGradient(0, height * 0.52, 0, height)
  slope.addColorStop(0, '#b5627f')
  slope.addColorStop(1, '#2c3560')
  pen.fillStyle = slope
  pen.fillRect(0, height * 0.52, width, height)
}
