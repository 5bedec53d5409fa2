import { describe, expect, it } from 'vitest'
import { isHidden, objection, visible } from './files'

const file = (name: string, size = 10, type = '') => ({ name, size, type, webkitRelativePath: '' }) as File

describe('files', () => {
  it('leaves out what systems put into folders', () => {
    expect(['.DS_Store', 'Thumbs.db', '__MACOSX', 'a.jpg'].map(isHidden)).toEqual([true, true, true, false])
    expect(visible([file('.DS_Store'), file('a.jpg')]).map((each) => each.name)).toEqual(['a.jpg'])
  })

  it('objects to what is no picture before it is sent, and leaves doubts to the server', () => {
    expect(objection(file('film.MP4'))).toContain('not a picture')
    expect(objection(file('empty.jpg', 0))).toContain('empty')
    expect(objection(file('huge.tif', 101 * 1024 * 1024))).toBe('')
    expect(objection(file('IMG_0001'))).toBe('')
    expect(objection(file('photo.heic'))).toBe('')
  })
})
