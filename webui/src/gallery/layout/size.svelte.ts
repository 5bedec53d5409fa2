// How high the rows of pictures are: chosen by a person, kept in the browser.

const KEY = 'imagomortis.size'
export const [SMALLEST, LARGEST] = [90, 420]

const isNarrow = (): boolean => innerWidth < 640

function kept(): number {
  const found = Number(localStorage.getItem(KEY))
  return found >= SMALLEST && found <= LARGEST ? found : isNarrow() ? 140 : 224
}

class Size {
  /** In pixels. */
  rows = $state(kept())

  choose(rows: number): void {
    this.rows = Math.min(LARGEST, Math.max(SMALLEST, Math.round(rows)))
    localStorage.setItem(KEY, String(this.rows))
  }
}

export const size = new Size()
