import { expect, it } from 'vitest'
import { geometryOf } from './preview'

it('takes the steps of a recipe that change where things are', () => {
  const steps = [{ transform: 'auto_orient' }, { transform: 'crop', width: '50%', height: '50%' }, { transform: 'grayscale' }, { transform: 'rotate', angle: 90 }, { transform: 'watermark', text: 'x' }]
  expect(geometryOf({ steps })).toEqual([steps[0], steps[1], steps[3]])
  expect(geometryOf({ steps: [{ transform: 'auto_orient' }, { transform: 'circles' }] })).toEqual([])
  const outputs = { square: { steps: [steps[1]!] }, small: { steps: [{ transform: 'resize' }] } }
  expect(geometryOf({ steps: [steps[0]!], outputs, first: 'square' })).toEqual([steps[0], steps[1]])
})

it.each(['crop', 'smart_crop', 'trim', 'rotate', 'flip', 'resize', 'pad', 'border'])('keeps a step of %s, which moves the picture or changes its size', (transform) => {
  expect(geometryOf({ steps: [{ transform }] })).toEqual([{ transform }])
})

it.each(['round_corners', 'text', 'watermark', 'circles', 'pixelate', 'hue'])('leaves out a step of %s, which only changes how it looks', (transform) => {
  expect(geometryOf({ steps: [{ transform }] })).toEqual([])
})
