// The steps of a recipe as people choose them: what each is called, and what can be set. All of it is the server's word.

import type { IconName } from '../parts/icons'
import { decimal } from '../words/format'
import { t } from '../words/texts'
import { assetOf } from './assets.svelte'

export type Value = string | number | boolean | null | string[]
export interface Step {
  transform: string
  [field: string]: Value
}

/** `isOptional`: without a value the server chooses one. */
export type Field = { name: string; label: string; hint: string; initial: Value; isOptional: boolean } & (
  | { kind: 'number'; min: number; max: number; step: number; unit: string }
  /** A factor, told in percent: 1.5 is 150 %. */
  | { kind: 'factor'; min: number; max: number; step: number }
  /** A percentage of the picture, written "10%". */
  | { kind: 'share'; min: number; max: number; step: number }
  /** Pixels, written "800px"; may be left out. */
  | { kind: 'pixels' }
  | { kind: 'choice'; choices: [value: Value, label: string][] }
  /** A text in a font that may not have every letter; `letters` are ranges of those that it has. `most`: how many characters. */
  | { kind: 'text'; letters: string; most: number | undefined; hasLines: boolean }
  | { kind: 'colour' | 'switch' }
  /** A stored picture; the step is not done until one is chosen. */
  | { kind: 'asset' }
)

export interface Kind {
  transform: string
  label: string
  hint: string
  icon: IconName
  begin: Record<string, Value>
  fields: Field[]
}

/** What the server says of a field: JSON Schema, and how an editor may show it. */
export interface Schema {
  type?: string
  title?: string
  description?: string
  default?: unknown
  examples?: unknown[]
  enum?: Value[]
  pattern?: string
  minimum?: number
  maximum?: number
  maxLength?: number
  anyOf?: Schema[]
  const?: Value
  properties?: Record<string, Schema>
  required?: string[]
  'x-slider'?: { least: number; most: number; step: number; unit: string }
  'x-labels'?: Record<string, string>
  'x-letters'?: string
  'x-lines'?: boolean
  'x-hidden'?: boolean
  'x-asset'?: boolean
}

export interface Described {
  name: string
  title: string
  description: string
  parameters: Schema
}

/** In the order in which the editor offers them; what has no icon here comes last. */
const ICONS: Record<string, IconName> = {
  crop: 'crop',
  smart_crop: 'smartCrop',
  trim: 'trim',
  rotate: 'rotate',
  flip: 'flip',
  resize: 'resize',
  pad: 'pad',
  exposure: 'exposure',
  highlights: 'highlights',
  shadows: 'shadows',
  auto_levels: 'autoLevels',
  gamma: 'gamma',
  temperature: 'temperature',
  brightness: 'brightness',
  contrast: 'contrast',
  saturation: 'saturation',
  hue: 'hue',
  grayscale: 'grayscale',
  colourise: 'colourise',
  blur: 'blur',
  sharpen: 'sharpen',
  pixelate: 'pixelate',
  circles: 'circles',
  text: 'text',
  watermark: 'watermark',
  overlay: 'overlay',
  border: 'border',
  round_corners: 'roundCorners',
  strip_metadata: 'stripMetadata',
  encode: 'encode',
}
const RANKS = new Map(Object.keys(ICONS).map((transform, rank) => [transform, rank]))
const rank = (kind: Kind) => RANKS.get(kind.transform) ?? RANKS.size

/** The kinds of steps that the editor offers, from what the server says of its transforms. */
export function kindsOf(described: readonly Described[]): Kind[] {
  return described
    .filter((each) => !each.parameters['x-hidden'])
    .map(({ name, title, description, parameters }) => ({
      transform: name,
      label: title,
      hint: description,
      icon: ICONS[name] ?? ('spark' as const),
      begin: beginOf(parameters),
      fields: Object.entries(parameters.properties ?? {}).flatMap(([field, schema]) => fieldOf(field, schema) ?? []),
    }))
    .sort((one, other) => rank(one) - rank(other))
}

function beginOf({ examples, required, properties }: Schema): Record<string, Value> {
  if (examples?.[0]) return examples[0] as Record<string, Value>
  return Object.fromEntries((required ?? []).map((name) => [name, (properties?.[name]?.['x-asset'] ? '' : (properties?.[name]?.examples?.[0] ?? '')) as Value]))
}

/** A field as the editor shows it; undefined for what it does not show. */
function fieldOf(name: string, schema: Schema): Field | undefined {
  if (name === 'transform' || schema['x-hidden']) return undefined
  const kinds = variants(schema)
  const of = (type: string) => kinds.find((each) => each.type === type)
  const whole = of('integer')
  const number = of('number') ?? whole
  const text = of('string')
  const slider = schema['x-slider']
  const range = slider && { min: slider.least, max: slider.most, step: slider.step }
  const initial = (schema.default ?? null) as Value
  const field = { name, label: schema.title ?? worded(name), hint: schema.description ?? '', initial, isOptional: initial === null && !!of('null') }
  const choices = kinds.find((each) => each.enum)?.enum
  if (choices) return { ...field, kind: 'choice', choices: choices.map((each) => [each, schema['x-labels']?.[String(each)] ?? worded(String(each))]) }
  if (text && number) return range ? { ...field, kind: 'share', ...range } : { ...field, kind: 'pixels' }
  if (number) {
    const [min, max] = [number.minimum ?? 0, number.maximum ?? 100]
    if (range && slider.unit === '%') return { ...field, kind: 'factor', ...range }
    return { ...field, kind: 'number', min, max, step: whole ? 1 : (max - min) / 100, ...range, unit: slider?.unit ?? '' }
  }
  if (schema['x-asset']) return { ...field, kind: 'asset' }
  if (text?.pattern?.includes('#[0-9a-fA-F]{6}')) return { ...field, kind: 'colour' }
  if (text) return { ...field, kind: 'text', letters: schema['x-letters'] ?? '', most: text.maxLength, hasLines: schema['x-lines'] === true }
  return of('boolean') && { ...field, kind: 'switch' }
}

/** What a value may be; single words beside a number, such as `auto`, are not offered. */
const variants = (schema: Schema): Schema[] => schema.anyOf?.flatMap(variants) ?? (schema.const === undefined ? [schema] : [])

function worded(name: string): string {
  const words = name.replaceAll(/[_-]/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** A new step with its first values. */
export const begin = (kind: Kind): Step => ({ transform: kind.transform, ...kind.begin }) as Step

/** Whether a step has all that it needs: an asset has to be chosen. */
export const isComplete = (step: Step): boolean => step.asset !== ''

/** The number in "12.5%" or "40px". */
export const amount = (value: Value | undefined): number => (typeof value === 'number' ? value : Number.parseFloat(String(value ?? 0)) || 0)

/** What stands for a step of a kind that is not known, or not yet. */
export const unknown = (transform: string): Kind => ({ transform, label: worded(transform), hint: '', icon: ICONS[transform] ?? 'spark', begin: {}, fields: [] })

/** A step in a few words. */
export function stepText(step: { transform: string } & Record<string, unknown>, kind: Kind): string {
  if (step.transform === 'crop') {
    return step.aspect ? t.steps.to(kind.label, String(step.aspect)) : t.steps.to(kind.label, `${plain(step.width)} × ${plain(step.height)}`)
  }
  const told = kind.fields
    .slice(0, 2)
    .map((field) => ({ field, value: step[field.name] }))
    .filter(({ value }) => value !== null && value !== undefined && typeof value !== 'boolean')
    .map(({ field, value }) => shown(field, value))
  return told.length ? `${kind.label}: ${told.join(', ')}` : kind.label
}

const plain = (value: unknown): string => (typeof value === 'number' ? decimal(value) : String(value ?? '100%'))

/** A field's value as people read it. */
export function shown(field: Field, value: unknown): string {
  if (field.kind === 'choice') return field.choices.find(([each]) => each === value)?.[1].toLowerCase() ?? String(value)
  if (field.kind === 'factor') return `${Math.round(amount(value as Value) * 100)} %`
  if (field.kind === 'share') return `${plain(amount(value as Value))} %`
  if (field.kind === 'asset') return assetOf(value)
  return plain(value) + (field.kind === 'number' ? field.unit : '')
}

/** A number's value that changes nothing: the server's default, or else 1 for a factor and for a number that is always above 0, and 0 for others. */
export function neutral(field: Field): number {
  if (field.initial !== null) return amount(field.initial)
  if (field.kind === 'factor' && field.min >= 0) return 1
  if (field.kind === 'number' && field.min > 0 && field.min <= 1 && field.max >= 1) return 1
  return 'min' in field ? Math.max(field.min, 0) : 0
}

/** The letters of a text that a font lacks, each once; `letters` are the ranges that it has, such as "20-7e a0-17f". */
export function lacking(text: string, letters: string): string[] {
  if (!letters) return []
  const ranges = letters.split(' ').map((range) => range.split('-').map((end) => Number.parseInt(end, 16)) as [number, number])
  const isThere = (letter: string) => /\s/.test(letter) || ranges.some(([first, last]) => first <= letter.codePointAt(0)! && letter.codePointAt(0)! <= last)
  return [...new Set(text)].filter((letter) => !isThere(letter))
}
