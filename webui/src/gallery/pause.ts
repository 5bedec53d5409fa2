// Pauses and resumes the processing of every picture.

import { api, data } from '../api/client'
import { notices } from '../frame/notices.svelte'
import { t } from '../words/texts'
import { gallery } from './list/gallery.svelte'
import { attempt } from './selection/selection.svelte'

export async function pause(paused: boolean): Promise<void> {
  await attempt(async () => {
    await (paused ? api.POST('/pause') : api.POST('/resume'))
    const stats = await data(api.GET('/stats'))
    // the figures may be older than the answer
    gallery.stats = stats.paused === paused ? stats : { ...stats, paused, paused_at: paused ? new Date().toISOString() : null }
    notices.show(paused ? t.overview.pausedNow : t.overview.resumedNow, { about: 'pause' })
  })
}
