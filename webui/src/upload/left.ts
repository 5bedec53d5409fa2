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
  const open = [...left]
  const found: [Left, File][] = []
  const others: File[] = []
  for (const file of files) {
    const fits = open.filter((each) => isSame(each, file.name, file.size))
    const best = fits.find((each) => each.modified === file.lastModified) ?? fits[0]
    if (!best) others.push(file)
    else {
      open.splice(open.indexOf(best), 1)
      found.push([best, file])
    }
  }
  return { found, others }
}

/** Whether a file of this name (or path) and size is the one that was left. */
export function isSame(left: Note, name: string, size: number): boolean {
  return left.size === size && baseName(left.name) === baseName(name)
}

export const baseName = (path: string): string => path.split('/').at(-1)!
