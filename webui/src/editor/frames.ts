// Keeps frames where they are on a picture that is turned under them.

import { amount, type Step } from '../recipes/steps'

const SIDES = ['x', 'y', 'width', 'height'] as const

/** Steps after a change in which one of them turns the picture by other quarters than before: frames behind it turn along. */
export function keepFrames(before: readonly Step[], after: Step[]): Step[] {
  if (before.length !== after.length) return after
  const number = after.findIndex((step, index) => step.transform === 'rotate' && amount(step.angle) !== amount(before[index]!.angle))
  if (number < 0 || before[number]!.transform !== 'rotate' || after[number]!.expand === false) return after
  let turn = amount(after[number]!.angle) - amount(before[number]!.angle)
  return after.map((step, index) => {
    if (index <= number) return step
    if (step.transform === 'flip') turn = -turn // what is mirrored turns the other way
    return step.transform === 'crop' ? turned(before[index]!, turn) : step
  })
}

/** A frame in shares of the picture, turned by quarters clockwise; another one, or one that is turned by less, stays. */
function turned(frame: Step, degrees: number): Step {
  if (degrees % 90 || !SIDES.every((side) => String(frame[side]).endsWith('%'))) return frame
  let [x, y, width, height] = SIDES.map((side) => amount(frame[side])) as [number, number, number, number]
  for (let left = ((degrees % 360) + 360) % 360; left > 0; left -= 90) [x, y, width, height] = [100 - y - height, x, height, width]
  const share = (value: number) => `${Math.round(value * 10) / 10}%`
  return { ...frame, x: share(x), y: share(y), width: share(width), height: share(height) }
}
