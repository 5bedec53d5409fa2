// What a picture will look like, nearly, until the server's own preview is there: the difference between the recipe of
// the preview that is shown and the one that a person has just made, as CSS. Exact it is not; instant it is.

import { amount, type Step } from '../recipes/steps'

interface Look {
  brightness: number
  contrast: number
  saturation: number
  /** Squared, as blurs add up that way; in percent of the shorter side. */
  blur: number
  angle: number
  mirrored: number
  upended: number
}

/** Levels are about the light to the power of one through this. */
const GAMMA = 2.2

function look(steps: readonly Step[]): Look {
  const found: Look = { brightness: 1, contrast: 1, saturation: 1, blur: 0, angle: 0, mirrored: 1, upended: 1 }
  for (const step of steps) {
    const factor = amount(step.factor ?? 1)
    if (step.transform === 'brightness') found.brightness *= factor
    else if (step.transform === 'exposure') found.brightness *= 2 ** (amount(step.stops) / GAMMA)
    else if (step.transform === 'contrast') found.contrast *= factor
    else if (step.transform === 'saturation') found.saturation *= factor
    else if (step.transform === 'grayscale') found.saturation *= 1 - amount(step.amount ?? 1)
    else if (step.transform === 'blur') found.blur += amount(step.radius ?? '1%') ** 2
    else if (step.transform === 'rotate') found.angle += amount(step.angle)
    else if (step.transform === 'flip' && step.direction === 'vertical') found.upended *= -1
    else if (step.transform === 'flip') found.mirrored *= -1
  }
  return found
}

/** What is gone (a factor near nothing) cannot be brought back; it stays. */
const ratio = (to: number, from: number): number => (from < 0.02 ? 1 : to / from)

const round = (value: number): number => Math.round(value * 1000) / 1000

/** CSS for a picture whose shorter side is shown with `side` pixels, and by how many degrees it is turned. */
export function approximate(shown: readonly Step[], wanted: readonly Step[], side: number): { filter: string; transform: string; turn: number } {
  const [from, to] = [look(shown), look(wanted)]
  const filters = [
    ['brightness', ratio(to.brightness, from.brightness)],
    ['contrast', ratio(to.contrast, from.contrast)],
    ['saturate', ratio(to.saturation, from.saturation)],
  ] as const
  const blur = Math.sqrt(Math.max(0, to.blur - from.blur)) * (side / 100)
  const filter = [...filters.filter(([, factor]) => Math.abs(factor - 1) > 0.001).map(([name, factor]) => `${name}(${round(factor)})`), ...(blur > 0.05 ? [`blur(${round(blur)}px)`] : [])]
  const turn = to.angle - from.angle
  const flip = [to.mirrored * from.mirrored, to.upended * from.upended]
  const transform = [...(turn ? [`rotate(${round(turn)}deg)`] : []), ...(flip[0]! < 0 || flip[1]! < 0 ? [`scale(${flip[0]}, ${flip[1]})`] : [])]
  return { filter: filter.join(' ') || 'none', transform: transform.join(' ') || 'none', turn }
}

interface Size {
  width: number
  height: number
}

/** How much larger or smaller a picture is shown once it is turned: all of it in the room, and never larger than it is (`most`). */
export function fit(turn: number, { width, height }: Size, room: Size, most: number): number {
  const [sine, cosine] = [Math.abs(Math.sin((turn * Math.PI) / 180)), Math.abs(Math.cos((turn * Math.PI) / 180))]
  if (!turn || !width || !height) return 1
  return round(Math.min(most, room.width / (width * cosine + height * sine), room.height / (width * sine + height * cosine)))
}
