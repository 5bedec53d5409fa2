import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ICONS } from '../parts/icons'
import { begin, type Described, type Field, isComplete, kindsOf, lacking, neutral, type Schema, stepText, unknown } from './steps'

const LENGTH: Schema = { anyOf: [{ type: 'string', pattern: '^[0-9]+(%|px)$' }, { type: 'integer', minimum: 0, maximum: 99999 }] }
const COLOUR: Schema = { type: 'string', pattern: '^#[0-9a-fA-F]{6}$', default: '#704214' }

const transform = (name: string, properties: Record<string, Schema>, more: Schema = {}): Described => ({
  name,
  title: name,
  description: `What ${name} does.`,
  parameters: { properties: { transform: { type: 'string' }, ...properties }, ...more },
})
const fieldOf = (schema: Schema) => kindsOf([transform('sepia', { field: schema })])[0]!.fields[0]

describe('a kind of step', () => {
  it('has a field for every parameter that can be shown', () => {
    const slider = { least: 0, most: 2, step: 0.1, unit: '%' }
    expect(fieldOf({ type: 'number', 'x-slider': slider })).toMatchObject({ kind: 'factor', min: 0, max: 2, step: 0.1, label: 'Field' })
    expect(fieldOf({ ...LENGTH, 'x-slider': slider })).toMatchObject({ kind: 'share', max: 2 })
    expect(fieldOf({ anyOf: [LENGTH, { type: 'null' }] })).toMatchObject({ kind: 'pixels', initial: null, isOptional: true })
    expect(fieldOf({ type: 'integer', minimum: 3, maximum: 9, title: 'How many' })).toMatchObject({ kind: 'number', min: 3, max: 9, step: 1, label: 'How many' })
    expect(fieldOf({ anyOf: [{ type: 'integer', minimum: 1 }, { type: 'string', const: 'auto' }], 'x-slider': { ...slider, unit: '' } })).toMatchObject({ kind: 'number', max: 2 })
    expect(fieldOf({ type: 'number', 'x-slider': { ...slider, unit: '°' } })).toMatchObject({ kind: 'number', unit: '°' })
    expect(fieldOf(COLOUR)).toMatchObject({ kind: 'colour', initial: '#704214' })
    expect(fieldOf({ type: 'boolean', default: true })).toMatchObject({ kind: 'switch', initial: true })
    expect(fieldOf({ type: 'string', pattern: '^[a-z]+$', 'x-asset': true })).toMatchObject({ kind: 'asset' })
    expect(fieldOf({ type: 'string', description: 'what is written' })).toMatchObject({ kind: 'text', hint: 'what is written' })
    expect(fieldOf({ anyOf: [{ type: 'string', enum: ['top-left', 'png'] }, { type: 'null' }], 'x-labels': { png: 'PNG' } })).toMatchObject({
      kind: 'choice',
      choices: [['top-left', 'Top left'], ['png', 'PNG']],
    })
  })

  it('is complete once its asset is chosen', () => {
    const [kind] = kindsOf([transform('overlay', { asset: { type: 'string', examples: ['logo'], 'x-asset': true } }, { required: ['asset'] })])
    expect(isComplete(begin(kind!))).toBe(false)
    expect(isComplete({ ...begin(kind!), asset: 'mark' })).toBe(true)
    expect(stepText({ transform: 'overlay', asset: `mark@${'0'.repeat(64)}` }, kind!)).toBe('overlay: mark')
  })

  it('knows the value of a number that changes nothing', () => {
    const of = (schema: Schema) => neutral(fieldOf(schema) as Field)
    const slider = (least: number, unit = '%') => ({ 'x-slider': { least, most: 2, step: 0.1, unit } })
    expect(of({ type: 'number', ...slider(0) })).toBe(1)
    expect(of({ type: 'number', ...slider(-1) })).toBe(0)
    expect(of({ type: 'number', ...slider(-3, '') })).toBe(0)
    expect(of({ type: 'number', ...slider(-180, '°') })).toBe(0)
    expect(of({ type: 'number', ...slider(0, '') })).toBe(0)
    expect(of({ type: 'number', ...slider(0.2, '') })).toBe(1)
    expect(of({ type: 'number', ...slider(1.5, '') })).toBe(1.5)
    expect(of({ type: 'number', default: 0.6, ...slider(0.05) })).toBe(0.6)
    expect(of({ ...LENGTH, default: '6%', ...slider(1) })).toBe(6)
  })

  it('knows which fields the server fills in', () => {
    const quality: Schema = { type: 'integer', minimum: 1, maximum: 100 }
    expect(fieldOf({ anyOf: [quality, { type: 'null' }] })).toMatchObject({ kind: 'number', isOptional: true })
    expect(fieldOf({ anyOf: [quality, { type: 'null' }], default: 80 })).toMatchObject({ isOptional: false })
    expect(fieldOf(quality)).toMatchObject({ isOptional: false })
  })

  it('leaves out what is hidden, and lists of things', () => {
    expect(fieldOf({ type: 'integer', 'x-hidden': true })).toBeUndefined()
    expect(fieldOf({ anyOf: [{ type: 'array' }, { type: 'null' }] })).toBeUndefined()
    expect(kindsOf([transform('auto_orient', {}, { 'x-hidden': true })])).toEqual([])
  })

  it('begins with its example, or with those of the fields that it needs', () => {
    const properties = { angle: { type: 'number', examples: [90, 45] }, width: LENGTH }
    expect(begin(kindsOf([transform('turn', properties, { required: ['angle'] })])[0]!)).toEqual({ transform: 'turn', angle: 90 })
    expect(begin(kindsOf([transform('turn', properties, { examples: [{ width: '10%' }] })])[0]!)).toEqual({ transform: 'turn', width: '10%' })
  })

  it('stands where people look for it; one that the page has never seen comes last', () => {
    const found = kindsOf(['sepia', 'encode', 'crop'].map((name) => transform(name, {})))
    expect(found.map((kind) => [kind.transform, kind.icon])).toEqual([['crop', 'crop'], ['encode', 'encode'], ['sepia', 'spark']])
  })

  it('has an icon of its own', () => {
    const types = readFileSync(new URL('../api/api.d.ts', import.meta.url), 'utf8')
    const names = [...types.matchAll(/^ +transform: "(\w+)"/gm)].map(([, name]) => name!).filter((name) => name !== 'auto_orient')
    expect(names.length).toBeGreaterThan(25)
    const icons = kindsOf(names.map((name) => transform(name, {}))).map(({ icon }) => icon)
    expect(icons).not.toContain('spark')
    expect(new Set(icons.map((icon) => ICONS[icon])).size).toBe(names.length)
  })
})

describe('a text', () => {
  it('has letters that a font lacks', () => {
    expect(lacking('Ab 你好 你\n😀', '20-7e a0-17f')).toEqual(['你', '好', '😀'])
    expect(lacking('你', '')).toEqual([])
    expect(fieldOf({ type: 'string', 'x-letters': '20-7e' })).toMatchObject({ kind: 'text', letters: '20-7e' })
  })

  it('has several lines only if its field takes them', () => {
    expect(fieldOf({ type: 'string', 'x-lines': true })).toMatchObject({ kind: 'text', hasLines: true })
    expect(fieldOf({ type: 'string' })).toMatchObject({ kind: 'text', hasLines: false })
  })
})

describe('a step', () => {
  it('is told in a few words', () => {
    const [rotate] = kindsOf([transform('Rotate', { angle: { type: 'number', 'x-slider': { least: -180, most: 180, step: 1, unit: '°' } }, expand: { type: 'boolean' } })])
    expect(stepText({ transform: 'Rotate', angle: 90, expand: true }, rotate!)).toBe('Rotate: 90°')
    expect(stepText({ transform: 'crop', aspect: '16:9' }, unknown('crop'))).toBe('Crop to 16:9')
  })

  it('has a name also when its transform is not known', () => {
    expect(stepText({ transform: 'strip_metadata' }, unknown('strip_metadata'))).toBe('Strip metadata')
  })
})
