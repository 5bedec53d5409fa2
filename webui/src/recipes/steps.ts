// The steps of a recipe as people choose them: what each is called, and what can be set.

import type { IconName } from '../parts/icons'

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
  ['top-left', 'Top left'],
  ['top', 'Top'],
  ['top-right', 'Top right'],
  ['left', 'Left'],
  ['center', 'Centre'],
  ['right', 'Right'],
  ['bottom-left', 'Bottom left'],
  ['bottom', 'Bottom'],
  ['bottom-right', 'Bottom right'],
]

const factor = (max = 2): Field => ({ name: 'factor', label: 'Strength', kind: 'factor', min: 0, max, step: 0.02 })

export const KINDS: readonly Kind[] = [
  { transform: 'crop', label: 'Crop', icon: 'crop', begin: { x: '10%', y: '10%', width: '80%', height: '80%' }, fields: [
    { name: 'x', label: 'Left', kind: 'share', min: 0, max: 99, step: 0.5 },
    { name: 'y', label: 'Top', kind: 'share', min: 0, max: 99, step: 0.5 },
    { name: 'width', label: 'Width', kind: 'share', min: 1, max: 100, step: 0.5 },
    { name: 'height', label: 'Height', kind: 'share', min: 1, max: 100, step: 0.5 },
  ] },
  { transform: 'rotate', label: 'Rotate', icon: 'rotate', begin: { angle: 90, expand: true }, fields: [
    { name: 'angle', label: 'Angle', kind: 'number', min: -180, max: 180, step: 1, unit: '°' },
    { name: 'expand', label: 'Keep the corners', kind: 'switch' },
    { name: 'background', label: 'Corners', kind: 'colour' },
  ] },
  { transform: 'flip', label: 'Flip', icon: 'flip', begin: { direction: 'horizontal' }, fields: [
    { name: 'direction', label: 'Direction', kind: 'choice', choices: [['horizontal', 'Left and right'], ['vertical', 'Top and bottom']] },
  ] },
  { transform: 'resize', label: 'Resize', icon: 'resize', begin: { width: '1200px', height: '1200px', fit: 'contain' }, fields: [
    { name: 'width', label: 'Width', kind: 'pixels' },
    { name: 'height', label: 'Height', kind: 'pixels' },
    { name: 'fit', label: 'Fit', kind: 'choice', choices: [['contain', 'All of it within'], ['cover', 'Fill and cut'], ['exact', 'Stretch']] },
    { name: 'enlarge', label: 'Enlarge small pictures', kind: 'switch' },
  ] },
  { transform: 'brightness', label: 'Brightness', icon: 'brightness', begin: { factor: 1.1 }, fields: [factor()] },
  { transform: 'contrast', label: 'Contrast', icon: 'contrast', begin: { factor: 1.1 }, fields: [factor()] },
  { transform: 'saturation', label: 'Saturation', icon: 'saturation', begin: { factor: 1.2 }, fields: [factor(3)] },
  { transform: 'blur', label: 'Blur', icon: 'blur', begin: { radius: '0.6%' }, fields: [{ name: 'radius', label: 'Radius', kind: 'share', min: 0, max: 5, step: 0.1 }] },
  { transform: 'sharpen', label: 'Sharpen', icon: 'sharpen', begin: { amount: 1 }, fields: [{ name: 'amount', label: 'Amount', kind: 'factor', min: 0, max: 5, step: 0.1 }] },
  { transform: 'grayscale', label: 'Grayscale', icon: 'grayscale', begin: { amount: 1 }, fields: [{ name: 'amount', label: 'Amount', kind: 'factor', min: 0, max: 1, step: 0.02 }] },
  { transform: 'circles', label: 'Circles', icon: 'circles', told: 1, begin: { count: 15, opacity: 0.6, style: 'mixed' }, fields: [
    { name: 'count', label: 'How many', kind: 'number', min: 1, max: 200, step: 1 },
    { name: 'opacity', label: 'Opacity', kind: 'factor', min: 0.05, max: 1, step: 0.05 },
    { name: 'smallest', label: 'Smallest', kind: 'share', min: 0.5, max: 20, step: 0.5 },
    { name: 'largest', label: 'Largest', kind: 'share', min: 1, max: 50, step: 0.5 },
    { name: 'style', label: 'Style', kind: 'choice', choices: [['mixed', 'Mixed'], ['filled', 'Discs'], ['rings', 'Rings']] },
  ] },
  { transform: 'watermark', label: 'Watermark', icon: 'watermark', begin: { text: 'ImagoMortis', position: 'bottom-right', size: '6%', opacity: 0.6 }, fields: [
    { name: 'text', label: 'Text', kind: 'text' },
    { name: 'position', label: 'Place', kind: 'choice', choices: PLACES },
    { name: 'size', label: 'Size', kind: 'share', min: 1, max: 30, step: 0.5 },
    { name: 'opacity', label: 'Opacity', kind: 'factor', min: 0.05, max: 1, step: 0.05 },
    { name: 'colour', label: 'Colour', kind: 'colour' },
  ] },
  { transform: 'border', label: 'Border', icon: 'border', begin: { width: '3%', colour: '#ffffff' }, fields: [
    { name: 'width', label: 'Width', kind: 'share', min: 0, max: 25, step: 0.5 },
    { name: 'colour', label: 'Colour', kind: 'colour' },
  ] },
  { transform: 'encode', label: 'File format', icon: 'encode', begin: { format: 'webp', quality: 85 }, fields: [
    { name: 'format', label: 'Format', kind: 'choice', choices: [['jpeg', 'JPEG'], ['png', 'PNG'], ['webp', 'WebP'], ['avif', 'AVIF']] },
    { name: 'quality', label: 'Quality', kind: 'number', min: 1, max: 100, step: 1 },
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
    return step.aspect ? `${kind.label} to ${String(step.aspect)}` : `${kind.label} to ${plain(step.width)} × ${plain(step.height)}`
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
