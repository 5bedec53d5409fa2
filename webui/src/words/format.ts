// Numbers, sizes and times as people read them, where they are.

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

/** How things are written in a language and region; without one, in those of the browser. */
export function formats(locale?: string) {
  const whole = new Intl.NumberFormat(locale)
  const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const exact = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 })
  const day = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' })
  const minute = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' })
  const near = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' })
  const landmarks = {
    year: new Intl.DateTimeFormat(locale, { year: 'numeric' }),
    month: new Intl.DateTimeFormat(locale, { month: 'short', year: '2-digit' }),
    day: new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' }),
  }
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  const clockOf = (iso: string): string => clock.format(new Date(iso))

  return {
    count: (value: number): string => whole.format(value),
    /** At most two digits behind the point. */
    decimal: (value: number): string => exact.format(value),

    /** 25,395 bytes are 24.8 KB. */
    bytes(size: number): string {
      let unit = 0
      while (size >= 1023.95 && unit < UNITS.length - 1) {
        size /= 1024
        unit++
      }
      return `${unit ? tenths.format(size) : whole.format(Math.round(size))} ${UNITS[unit]}`
    },

    /** 4,000 seconds are 1 h 7 min. */
    duration(seconds: number): string {
      if (!Number.isFinite(seconds)) return '…'
      if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`
      if (seconds < 10) return `${tenths.format(seconds)} s`
      if (seconds < 60) return `${Math.round(seconds)} s`
      const minutes = Math.round(seconds / 60)
      if (minutes < 60) return `${minutes} min`
      return `${whole.format(Math.floor(minutes / 60))} h ${minutes % 60} min`
    },

    /** Today, yesterday, or the date, with its year unless it is this one. */
    namedDayOf(of: string, now = new Date()): string {
      const date = new Date(of)
      const away = Math.round((new Date(date.toDateString()).getTime() - new Date(now.toDateString()).getTime()) / 86_400_000)
      if (away === 0 || away === -1) return capital(relative.format(away, 'day'), locale)
      return (date.getFullYear() === now.getFullYear() ? near : day).format(date)
    },
    /** A day in few letters, as exact as the unit. */
    landmarkOf: (of: string, unit: 'year' | 'month' | 'day'): string => landmarks[unit].format(new Date(of)),
    momentOf: (iso: string): string => moment.format(new Date(iso)),
    clockOf,
    /** The time of day, with the date unless it is today's. */
    sinceOf: (iso: string, now = new Date()): string =>
      new Date(iso).toDateString() === now.toDateString() ? clockOf(iso) : minute.format(new Date(iso)),
  }
}

export const { count, decimal, bytes, duration, namedDayOf, landmarkOf, momentOf, clockOf, sinceOf } = formats()

const capital = (text: string, locale?: string): string => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1)

export const plural = (amount: number, one: string, many = `${one}s`): string =>
  `${count(amount)} ${amount === 1 ? one : many}`
