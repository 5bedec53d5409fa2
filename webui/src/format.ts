// Numbers, sizes and times as people read them.

const number = new Intl.NumberFormat('en')
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

export const count = (value: number): string => number.format(value)

/** 25,395 bytes are 24.8 KB. */
export function bytes(size: number): string {
  let unit = 0
  while (size >= 1023.95 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`
}

/** 4,000 seconds are 1 h 7 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…'
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const day = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
const date = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })
const moment = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

export const dayOf = (iso: string): string => day.format(new Date(iso))
export const momentOf = (iso: string): string => moment.format(new Date(iso))
export const clockOf = (iso: string): string => clock.format(new Date(iso))
/** The time of day, with the date unless it is today's. */
export const sinceOf = (iso: string, now = new Date()): string =>
  new Date(iso).toDateString() === now.toDateString() ? clockOf(iso) : `${date.format(new Date(iso))}, ${clockOf(iso)}`

export const plural = (amount: number, one: string, many = `${one}s`): string =>
  `${count(amount)} ${amount === 1 ? one : many}`
