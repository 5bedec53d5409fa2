import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync(`${import.meta.dirname}/app.css`, 'utf8')

/** A colour of the page as red, green and blue from 0 to 1, in one of its themes. */
function colour(name: string, theme: 'light' | 'dark'): number[] {
  const [, light, dark] = new RegExp(`--${name}: light-dark\\(#([0-9a-f]+), #([0-9a-f]+)\\)`).exec(css)!
  const digits = (theme === 'light' ? light : dark)!
  const whole = digits.length === 3 ? [...digits].map((digit) => digit + digit).join('') : digits
  return [0, 2, 4].map((at) => Number.parseInt(whole.slice(at, at + 2), 16) / 255)
}

/** Relative luminance, as WCAG 2.2 defines it. */
function luminance(channels: number[]): number {
  const [red, green, blue] = channels.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(one: number[], other: number[]): number {
  const [darker, lighter] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number]
  return (lighter + 0.05) / (darker + 0.05)
}

describe.each(['light', 'dark'] as const)('the colours of the %s theme', (theme) => {
  it.each(['ground', 'card', 'well'])('stand out from the %s', (ground) => {
    const against = (name: string) => contrast(colour(name, theme), colour(ground, theme))
    expect(against('edge')).toBeGreaterThanOrEqual(3)
    for (const text of ['ink', 'quiet', 'accent', 'failed']) expect(against(text), text).toBeGreaterThanOrEqual(4.5)
  })

  it.each(['ground', 'card', 'well', 'line'])('leave the %s without a hue', (ground) => {
    const channels = colour(ground, theme)
    expect(Math.max(...channels) - Math.min(...channels)).toBeLessThan(0.02)
  })
})
