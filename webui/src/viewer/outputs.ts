// The outputs of an image as the viewer lists them.

import type { ImageInfo } from '../api/client'

export interface Shown {
  name: string
  type: string
  width: number
  height: number
  bytes: number
  /** How many bytes it has less than the original, as a share; below 0 if it has more. */
  saved: number
  download: string
}

/** The outputs of an image; none if there is only one, which the viewer shows anyway. */
export function outputsOf({ outputs, bytes }: Pick<ImageInfo, 'outputs' | 'bytes'>): Shown[] {
  if (outputs.length < 2) return []
  return outputs.map((each) => ({
    name: each.name,
    type: each.media_type.replace('image/', '').toUpperCase(),
    width: each.width,
    height: each.height,
    bytes: each.bytes,
    saved: 1 - each.bytes / bytes,
    download: `/api/${each.url}&download=true`,
  }))
}

/** Where all outputs are, as one file. */
export const allOf = (id: string): string => `/api/images/zip?ids=${id}`
