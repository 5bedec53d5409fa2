// The steps of a recipe as people choose them: what each is called, and what can be set.

import type { IconName } from '../parts/icons'
import { t } from '../texts'

const w = t.steps.words

export type Value = string | number | boolean | null | string[]
export interface Step {
  transform: string
  [field: string]: Value
}

export type Field =
  | { name: string; label: string; kind: 'number'; min: number; max: number; step: number; unit?: string }
  /** A factor, told in percent: 1.5 is 150 %. */
  | { name: string; label: string; kind: 'factor'; min: number; max: number; step: number }
  /** A percentage of the picture, written "10%". */
  | { name: string; label: string; kind: 'share'; min: number; max: number; step: number }
  /** Pixels, written "800px"; may be left out. */
  | { name: string; label: string; kind: 'pixels' }
  | { name: string; label: string; kind: 'choice'; choices: [value: Value, label: string][] }
  | { name: string; label: string; kind: 'text' }
  | { name: string; label: string; kind: 'colour' }
  | { name: string; label: string; kind: 'switch' }

export interface Kind {
  transform: string
  label: string
  icon: IconName
  begin: Omit<Step, 'transform'>
  fields: Field[]
  /** How many of the fields tell the step in a few words. */
  told?: number
}

const PLACES: [Value, string][] = [
  ['top-left', w.topLeft],
  ['top', w.top],
  ['top-right', w.topRight],
  ['left', w.left],
  ['center', w.centre],
  ['right', w.right],
  ['bottom-left', w.bottomLeft],
  ['bottom', w.bottom],
  ['bottom-right', w.bottomRight],
]

const factor = (max = 2): Field => ({ name: 'factor', label: w.strength, kind: 'factor', min: 0, max, step: 0.02 })

export const KINDS: readonly Kind[] = [
  { transform: 'crop', label: w.crop, icon: 'crop', begin: { x: '10%', y: '10%', width: '80%', height: '80%' }, fields: [
    { name: 'x', label: w.left, kind: 'share', min: 0, max: 99, step: 0.5 },
    { name: 'y', label: w.top, kind: 'share', min: 0, max: 99, step: 0.5 },
    { name: 'width', label: w.width, kind: 'share', min: 1, max: 100, step: 0.5 },
    { name: 'height', label: w.height, kind: 'share', min: 1, max: 100, step: 0.5 },
  ] },
  { transform: 'rotate', label: w.rotate, icon: 'rotate', begin: { angle: 90, expand: true }, fields: [
    { name: 'angle', label: w.angle, kind: 'number', min: -180, max: 180, step: 1, unit: '°' },
    { name: 'expand', label: w.keepTheCorners, kind: 'switch' },
    { name: 'background', label: w.corners, kind: 'colour' },
  ] },
  { transform: 'flip', label: w.flip, icon: 'flip', begin: { direction: 'horizontal' }, fields: [
    { name: 'direction', label: w.direction, kind: 'choice', choices: [['horizontal', w.leftAndRight], ['vertical', w.topAndBottom]] },
  ] },
  { transform: 'resize', label: w.resize, icon: 'resize', begin: { width: '1200px', height: '1200px', fit: 'contain' }, fields: [
    { name: 'width', label: w.width, kind: 'pixels' },
    { name: 'height', label: w.height, kind: 'pixels' },
    { name: 'fit', label: w.fit, kind: 'choice', choices: [['contain', w.allOfItWithin], ['cover', w.fillAndCut], ['exact', w.stretch]] },
    { name: 'enlarge', label: w.enlargeSmallPictures, kind: 'switch' },
  ] },
  { transform: 'brightness', label: w.brightness, icon: 'brightness', begin: { factor: 1.1 }, fields: [factor()] },
  { transform: 'contrast', label: w.contrast, icon: 'contrast', begin: { factor: 1.1 }, fields: [factor()] },
  { transform: 'saturation', label: w.saturation, icon: 'saturation', begin: { factor: 1.2 }, fields: [factor(3)] },
  { transform: 'blur', label: w.blur, icon: 'blur', begin: { radius: '0.6%' }, fields: [{ name: 'radius', label: w.radius, kind: 'share', min: 0, max: 5, step: 0.1 }] },
  { transform: 'sharpen', label: w.sharpen, icon: 'sharpen', begin: { amount: 1 }, fields: [{ name: 'amount', label: w.amount, kind: 'factor', min: 0, max: 5, step: 0.1 }] },
  { transform: 'grayscale', label: w.grayscale, icon: 'grayscale', begin: { amount: 1 }, fields: [{ name: 'amount', label: w.amount, kind: 'factor', min: 0, max: 1, step: 0.02 }] },
  { transform: 'circles', label: w.circles, icon: 'circles', told: 1, begin: { count: 15, opacity: 0.6, style: 'mixed' }, fields: [
    { name: 'count', label: w.howMany, kind: 'number', min: 1, max: 200, step: 1 },
    { name: 'opacity', label: w.opacity, kind: 'factor', min: 0.05, max: 1, step: 0.05 },
    { name: 'smallest', label: w.smallest, kind: 'share', min: 0.5, max: 20, step: 0.5 },
    { name: 'largest', label: w.largest, kind: 'share', min: 1, max: 50, step: 0.5 },
    { name: 'style', label: w.style, kind: 'choice', choices: [['mixed', w.mixed], ['filled', w.discs], ['rings', w.rings]] },
  ] },
  { transform: 'watermark', label: w.watermark, icon: 'watermark', begin: { text: 'ImagoMortis', position: 'bottom-right', size: '6%', opacity: 0.6 }, fields: [
    { name: 'text', label: w.text, kind: 'text' },
    { name: 'position', label: w.place, kind: 'choice', choices: PLACES },
    { name: 'size', label: w.size, kind: 'share', min: 1, max: 30, step: 0.5 },
    { name: 'opacity', label: w.opacity, kind: 'factor', min: 0.05, max: 1, step: 0.05 },
    { name: 'colour', label: w.colour, kind: 'colour' },
  ] },
  { transform: 'border', label: w.border, icon: 'border', begin: { width: '3%', colour: '#ffffff' }, fields: [
    { name: 'width', label: w.width, kind: 'share', min: 0, max: 25, step: 0.5 },
    { name: 'colour', label: w.colour, kind: 'colour' },
  ] },
  { transform: 'encode', label: w.fileFormat, icon: 'encode', begin: { format: 'webp', quality: 85 }, fields: [
    { name: 'format', label: w.format, kind: 'choice', choices: [['jpeg', 'JPEG'], ['png', 'PNG'], ['webp', 'WebP'], ['avif', 'AVIF']] },
    { name: 'quality', label: w.quality, kind: 'number', min: 1, max: 100, step: 1 },
  ] },
]

const BY_NAME = new Map(KINDS.map((kind) => [kind.transform, kind]))

export const kindOf = (transform: string): Kind =>
  BY_NAME.get(transform) ?? { transform, label: labelOf(transform), icon: 'spark', begin: {}, fields: [] }

function labelOf(transform: string): string {
  const words = transform.replaceAll('_', ' ')
  return words[0]!.toUpperCase() + words.slice(1)
}

/** A new step with its first values. */
export const begin = (kind: Kind): Step => ({ transform: kind.transform, ...kind.begin }) as Step

/** The number in "12.5%" or "40px". */
export const amount = (value: Value | undefined): number => (typeof value === 'number' ? value : Number.parseFloat(String(value ?? 0)) || 0)

/** A step in a few words. */
export function stepText(step: { transform: string } & Record<string, unknown>): string {
  const kind = kindOf(step.transform)
  if (step.transform === 'crop') {
    return step.aspect ? t.steps.to(kind.label, String(step.aspect)) : t.steps.to(kind.label, `${plain(step.width)} × ${plain(step.height)}`)
  }
  const told = kind.fields
    .slice(0, kind.told ?? 2)
    .map((field) => ({ field, value: step[field.name] }))
    .filter(({ value }) => value !== null && value !== undefined && typeof value !== 'boolean')
    .map(({ field, value }) => shown(field, value))
  return told.length ? `${kind.label}: ${told.join(', ')}` : kind.label
}

const plain = (value: unknown): string => (typeof value === 'number' ? String(Math.round(value * 100) / 100) : String(value ?? '100%'))

/** A field's value as people read it. */
export function shown(field: Field, value: unknown): string {
  if (field.kind === 'choice') return field.choices.find(([each]) => each === value)?.[1].toLowerCase() ?? String(value)
  if (field.kind === 'factor') return `${Math.round(amount(value as Value) * 100)} %`
  if (field.kind === 'share') return `${plain(amount(value as Value))} %`
  return plain(value) + (field.kind === 'number' ? (field.unit ?? '') : '')
}
