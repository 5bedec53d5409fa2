// Small copies of files that are chosen and not sent yet, and what recipes make of them.

import { api, type RecipeInfo } from '../../api/client'
import { drawn } from '../../api/preview'

/** Pixels of a copy's longest side: as many as an example has on a screen of high density. */
const SIDE = 480
const QUALITY = 0.9
const PIECE = 0x8000

export interface Copy {
  /** For an image element; whoever asked for the copy revokes it. */
  address: string
  base64: string
  /** Its size in proportion to the file's. */
  scale: number
}

/** Draws a small copy of a file; nothing where the browser cannot read it, as most cannot read HEIC. */
export async function copyOf(file: File): Promise<Copy | null> {
  const whole = await createImageBitmap(file).catch(() => null)
  if (!whole) return null
  const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height))
  const [width, height] = [Math.max(1, Math.round(whole.width * scale)), Math.max(1, Math.round(whole.height * scale))]
  const small = await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' })
  whole.close()
  const canvas = new OffscreenCanvas(width, height)
  canvas.getContext('2d')?.drawImage(small, 0, 0)
  small.close()
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality: QUALITY })
  return { address: URL.createObjectURL(blob), base64: base64Of(new Uint8Array(await blob.arrayBuffer())), scale }
}

function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE))
  return btoa(text)
}

/** The address of what a recipe makes of a copy, which the caller revokes. */
export async function made({ base64, scale }: Copy, recipe: RecipeInfo, sha256: string | null, signal: AbortSignal): Promise<string> {
  const body = { recipe: recipe.recipe, longest_side: SIDE, picture: base64, scale, sha256 }
  return drawn(() => api.POST('/recipes/preview', { body, parseAs: 'blob', signal }), signal)
}
