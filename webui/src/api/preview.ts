// Previews: what a recipe makes of a picture, drawn by the server.

import { api, Problem, type Recipe } from './client'

const TIMES = 5
const PAUSE = 1000
const BUSY = 503

/** The address of a preview, which the caller revokes. Where the server has too many to draw, it is asked again. */
export async function preview(image: string, recipe: Recipe, signal?: AbortSignal): Promise<string> {
  for (let times = 1; ; times++) {
    try {
      const answer = await api.POST('/images/{image_id}/preview', {
        params: { path: { image_id: image } },
        body: { recipe },
        parseAs: 'blob',
        ...(signal && { signal }),
      })
      return URL.createObjectURL(answer.data as unknown as Blob)
    } catch (error) {
      if (times === TIMES || signal?.aborted || !(error instanceof Problem && error.status === BUSY)) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }
}
