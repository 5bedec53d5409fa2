// Uploads that a page left when it was closed, and how their files are found again.

/** What is known of an upload without its bytes. */
export interface Note {
  key: string
  /** The page that has it in its queue. */
  owner: string
  name: string
  size: number
  /** When the file was changed, in milliseconds since 1970. */
  modified: number
  recipe: string
  anyway: boolean
  at: number
}

export interface Left extends Note {
  /** The copy of the file; null where there was no room. */
  file: File | null
}

const FLAG = 'imagomortis.unfinished'

/** Says, without a look into the browser's database, that there may be something in it, and whether it was paused. */
export const flag = (isPaused: boolean): void => localStorage.setItem(FLAG, isPaused ? 'paused' : 'open')
export const unflag = (): void => localStorage.removeItem(FLAG)
export const mayHaveLeft = (): boolean => localStorage.getItem(FLAG) !== null
export const werePaused = (): boolean => localStorage.getItem(FLAG) === 'paused'

/** Finds the files that were left among those that a person chose: by name and size, and by time where there are several. */
export function match(left: readonly Left[], files: readonly File[]): { found: [Left, File][]; others: File[] } {
  const open = new Map<string, Left[]>()
  for (const each of left) {
    const key = keyOf(each.name, each.size)
    const same = open.get(key)
    if (same) same.push(each)
    else open.set(key, [each])
  }
  const found: [Left, File][] = []
  const others: File[] = []
  for (const file of files) {
    const fits = open.get(keyOf(file.name, file.size)) ?? []
    const [best] = fits.splice(Math.max(0, fits.findIndex((each) => each.modified === file.lastModified)), 1)
    if (best) found.push([best, file])
    else others.push(file)
  }
  return { found, others }
}

const keyOf = (name: string, size: number): string => `${size} ${baseName(name)}`

/** Whether a file of this name (or path) and size is the one that was left. */
export function isSame(left: Note, name: string, size: number): boolean {
  return left.size === size && baseName(left.name) === baseName(name)
}

export const baseName = (path: string): string => path.split('/').at(-1)!
