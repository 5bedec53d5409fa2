// Dark or light: what the system says, until a person says otherwise.

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'imagomortis.theme'

class Choice {
  chosen = $state<Theme>(read())

  choose(theme: Theme): void {
    this.chosen = theme
    localStorage.setItem(KEY, theme)
    this.apply()
  }

  apply(): void {
    document.documentElement.dataset.theme = this.chosen
    // what the browser draws around the page goes along
    for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
      const scheme = (meta.dataset.scheme ??= meta.media.includes('dark') ? 'dark' : 'light')
      meta.media = this.chosen === 'system' ? `(prefers-color-scheme: ${scheme})` : this.chosen === scheme ? 'all' : 'not all'
    }
  }
}

function read(): Theme {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

export const theme = new Choice()
