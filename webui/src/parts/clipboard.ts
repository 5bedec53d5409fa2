// Puts texts and pictures on the clipboard.

import { t } from '../words/texts'

/** Browsers let pages write pictures only over HTTPS and on this machine. */
export const canCopyPictures = 'ClipboardItem' in globalThis && !!navigator.clipboard?.write

/** Copies a text, also from a page that came over plain HTTP. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const field = document.createElement('textarea')
  field.value = text
  const parent = document.querySelector('dialog[open]') ?? document.body // what is outside of a modal dialog cannot be chosen
  parent.append(field)
  field.select()
  const isDone = document.execCommand('copy')
  field.remove()
  if (!isDone) throw new Error(t.problems.cannotCopy)
}

/** Copies the picture at an address, as PNG, which is what other programs take. */
export function copyPicture(address: string): Promise<void> {
  return navigator.clipboard.write([new ClipboardItem({ 'image/png': pngOf(address) })])
}

async function pngOf(address: string): Promise<Blob> {
  const image = await createImageBitmap(await (await fetch(address)).blob())
  const canvas = new OffscreenCanvas(image.width, image.height)
  canvas.getContext('2d')?.drawImage(image, 0, 0)
  image.close()
  return canvas.convertToBlob({ type: 'image/png' })
}
