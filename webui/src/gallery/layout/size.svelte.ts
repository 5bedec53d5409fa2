// How pictures are shown, in a grid or a list, and how high the rows of the grid are: chosen by a person, kept in the browser.

const KEY = 'imagomortis.size'
const LIST = 'imagomortis.list'
export const [SMALLEST, LARGEST] = [90, 420]

const isNarrow = (): boolean => innerWidth < 640

function kept(): number {
  const found = Number(localStorage.getItem(KEY))
  return found >= SMALLEST && found <= LARGEST ? found : isNarrow() ? 140 : 224
}

class Size {
  /** In pixels. */
  rows = $state(kept())

  isList = $state(localStorage.getItem(LIST) === 'yes')

  list(is: boolean): void {
    this.isList = is
    localStorage.setItem(LIST, is ? 'yes' : 'no')
  }

  choose(rows: number): void {
    this.rows = Math.min(LARGEST, Math.max(SMALLEST, Math.round(rows)))
    localStorage.setItem(KEY, String(this.rows))
  }
}

export const size = new Size()
