// An hour or a day of this place, as the fields of a form and as moments.

export type Unit = 'hour' | 'day'

const two = (number: number): string => String(number).padStart(2, '0')

/** The beginning of the hour or day that holds `moment`, as a form field has it. */
export function local(moment: Date, unit: Unit): string {
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`
  return unit === 'day' ? day : `${day}T${two(moment.getHours())}:00`
}

/** From the beginning to before the end. A day has as many hours as it has here. */
export function span(begins: string, unit: Unit): { since: string; until: string } {
  const [day = '', time = '00:00'] = begins.split('T')
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  const hour = Number(time.split(':')[0])
  const since = new Date(year, month - 1, date, hour)
  const until = unit === 'day' ? new Date(year, month - 1, date + 1) : new Date(since.getTime() + 3_600_000)
  return { since: since.toISOString(), until: until.toISOString() }
}
