import { describe, expect, it } from 'vitest'
import { dropped, isHidden, objection, visible } from './files'

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

  it('reads a dropped folder to its end, whatever in it cannot be read, and tells what that was', async () => {
    const leaf = (path: string, isReadable = true) => ({
      name: path.split('/').at(-1)!,
      fullPath: path,
      isFile: true,
      file: (take: (found: File) => void, fail: (error: Error) => void) => (isReadable ? take(file(path)) : fail(new Error('NotReadableError'))),
    })
    const folder = (path: string, inside: object[] | null) => ({
      name: path.split('/').at(-1)!,
      fullPath: path,
      isFile: false,
      createReader: () => {
        const answers = [inside, []]
        return {
          readEntries: (take: (found: object[]) => void, fail: (error: Error) => void) => {
            const some = answers.shift()
            if (some) take(some)
            else fail(new Error('NotReadableError'))
          },
        }
      },
    })
    const trip = folder('/trip', [leaf('/trip/1.jpg'), leaf('/trip/2.jpg', false), folder('/trip/locked', null), leaf('/trip/3.jpg')])
    const items = [trip, leaf('/4.jpg')].map((entry) => ({ kind: 'file', webkitGetAsEntry: () => entry }))
    const unread: string[][] = []
    const found: string[] = []
    for await (const each of dropped({ items } as unknown as DataTransfer, (paths) => unread.push(paths))) found.push(each.name)
    expect(found).toEqual(['/trip/1.jpg', '/trip/3.jpg', '/4.jpg'])
    expect(unread).toEqual([['trip/2.jpg', 'trip/locked']])
  })
})
