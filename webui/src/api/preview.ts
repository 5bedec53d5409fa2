// Previews: what a recipe makes of a picture, drawn by the server.

import { api, data, type Image, picture, Problem, type Recipe } from './client'

const TIMES = 5
const PAUSE = 1000
const BUSY = 503
/** The server's own measure, enough for a glance. */
export const SIDE = 1024
/** Pixels of the longest side that it draws at most. */
export const MOST = 4096

const SHOWN_BY_BROWSERS = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/bmp'])
/** Steps that change where things are, and not how they look. */
const GEOMETRIC = new Set(['auto_orient', 'crop', 'smart_crop', 'trim', 'rotate', 'flip', 'resize', 'pad', 'border'])
const UPRIGHT = { steps: [{ transform: 'auto_orient' }] } as unknown as Recipe

/** The address of a preview, which the caller revokes. Where the server has too many to draw, it is asked again. */
export async function preview(image: string, recipe: Recipe, longest_side = SIDE, signal?: AbortSignal): Promise<string> {
  const body = { recipe, longest_side }
  const params = { path: { image_id: image } }
  return drawn(() => api.POST('/images/{image_id}/preview', { params, body, parseAs: 'blob', ...(signal && { signal }) }), signal)
}

/** The address of a drawn picture, which the caller revokes; a server that has too many to draw is asked again. */
export async function drawn(ask: () => Promise<{ data?: unknown }>, signal?: AbortSignal): Promise<string> {
  for (let times = 1; ; times++) {
    try {
      return URL.createObjectURL((await ask()).data as Blob)
    } catch (error) {
      if (times === TIMES || signal?.aborted || !(error instanceof Problem && error.status === BUSY)) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }
}

/** The address of an original, which the caller revokes; one that browsers cannot show is drawn by the server. */
export async function originalOf({ id, media_type }: Pick<Image, 'id' | 'media_type'>): Promise<string> {
  return SHOWN_BY_BROWSERS.has(media_type) ? picture(id, 'original') : preview(id, UPRIGHT)
}

interface Described {
  steps: { transform: string }[]
  outputs?: Record<string, { steps?: { transform: string }[] }>
  /** The output that is shown as the result. */
  first?: string
}

/** The steps of a recipe after which an original lies as its result does; none where it does so by itself. */
export function geometryOf({ steps, outputs, first }: Described): { transform: string }[] {
  const found = [...steps, ...(outputs?.[first ?? '']?.steps ?? [])].filter(({ transform }) => GEOMETRIC.has(transform))
  return found.some(({ transform }) => transform !== 'auto_orient') ? found : []
}

/** The address of an original that is cut, turned and framed as its result, to compare the two; the caller revokes it. */
export async function alignedOriginalOf(image: Pick<Image, 'id' | 'media_type'>): Promise<string> {
  const info = await data(api.GET('/images/{image_id}/info', { params: { path: { image_id: image.id } } }))
  const steps = geometryOf(info.recipe as unknown as Described)
  return steps.length ? preview(image.id, { steps } as unknown as Recipe, MOST) : originalOf(image)
}
